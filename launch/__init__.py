"""The commands of the package, run from a checkout, and presets of their flags."""
