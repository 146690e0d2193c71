"""Turns towers into what flies: a bundle of ONNX files that provably compute what was trained."""
