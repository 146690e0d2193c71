"""Crops to embeddings: the engines that run a bundle's towers.

Imports run one way: from here to `runtime.gpu`, which knows CUDA and TensorRT and none of this.
"""
