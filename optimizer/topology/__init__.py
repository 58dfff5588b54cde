"""Which layouts are legal on which rented machine."""
