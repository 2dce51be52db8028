"""Public data sets prepared for `tfds:NAME` from files that the user has downloaded."""
