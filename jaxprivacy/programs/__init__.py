"""What drives compiled work: chunks, maps over runs, and checkpoints between them.

The only part with `jax.jit`. It knows no setting and no report: who waits is told by
`advance(share)`, the share of the whole that was just done.
"""
