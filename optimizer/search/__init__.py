"""Which candidate, and how many: bounds, exact refinement, the CP-SAT count model and the proof."""
