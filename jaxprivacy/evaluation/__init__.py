"""From scores and samples to rates with intervals: NumPy only, no model is called."""
