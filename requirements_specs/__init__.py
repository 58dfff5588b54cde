"""What is asked, in numbers: quantities with units, workloads, latency limits, budgets and inventories."""
