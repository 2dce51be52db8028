"""Whole studies: the only place that knows settings, and progress to show."""
