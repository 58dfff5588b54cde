"""Bytes, FLOPs, seconds and dollars of a candidate: pure functions on arrays."""
