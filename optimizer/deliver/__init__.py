"""How a person gets the answer: reports for the terminal and listings of the catalog."""
