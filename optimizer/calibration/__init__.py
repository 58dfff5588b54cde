"""Comparison with measurements: import, score and fit."""
