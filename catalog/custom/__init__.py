"""Accelerators that the user describes, and the offers that rent them."""

from catalog.custom.read import CustomParts, read_custom_parts

__all__ = ["CustomParts", "read_custom_parts"]
