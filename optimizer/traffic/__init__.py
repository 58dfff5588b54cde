"""What waiting and sharing do to a replica: mean load, waiting walls and percentiles, on tables of step times."""
