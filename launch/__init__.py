"""Launch scripts: flags to experiment to report."""
