"""What a run found, as result.json, figures, one HTML page and terminal tables."""
