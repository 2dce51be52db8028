"""jaxprivacy: measure what deep learning on private data gives away."""

__version__ = "0.1.0"
