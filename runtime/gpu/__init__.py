"""NVIDIA's libraries behind small doors: CUDA's memory and graphs, and TensorRT engines built on the target."""
