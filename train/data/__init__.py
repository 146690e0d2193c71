"""Where training pairs come from: University-1652 and what is laid out like it, own flights, real texture."""
