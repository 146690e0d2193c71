"""What a GPU's libraries are asked for: CUDA's calls, TensorRT's plans, and engine files with their keys.

Imports run one way: `runtime.embedder` takes from here, and nothing here knows of embedders, bundles' parity or flight.
"""
