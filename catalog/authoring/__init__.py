"""Readers of the authored YAML and CSV files; the snapshot compiler uses them, and the reader of custom parts."""
