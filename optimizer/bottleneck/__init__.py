"""Which wall stops the design from being cheaper, and which one makes a specification impossible."""
