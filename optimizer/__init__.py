"""From a specification and a catalog to the cheapest design that meets it, proved."""
