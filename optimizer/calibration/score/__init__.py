"""`make score`: predictions against measurements, printed and written to docs/accuracy.md from the same sections."""
