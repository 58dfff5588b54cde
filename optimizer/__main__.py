"""`python -m optimizer` is `roofplan`."""

from optimizer.cli import main

main()
