"""A question in words -> slots -> a spec: a scanner of numbers, names and units, not a grammar."""
