"""Crops to embeddings: the engines that run a bundle's towers."""
