"""Readers of the authored YAML and CSV files; only the snapshot compiler uses them."""
