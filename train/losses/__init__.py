"""What training minimises: each loss a small module of its own on one batch of two embedded views."""
