"""Whole studies: the only place with `jax.jit`, and with progress to show."""
