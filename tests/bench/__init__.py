"""Benchmarks. OpenBLAS computes in one thread, as in the commands; it is told before NumPy is imported."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
