"""What locating and fixing share: nearest neighbours, alignment of spatial maps, and what is accepted."""
