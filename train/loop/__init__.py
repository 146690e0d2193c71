"""The training loop: what a run is, its batches, its gradients, its state, and what it leaves behind."""
