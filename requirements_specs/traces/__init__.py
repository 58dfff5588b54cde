"""Arrival traces: what a service really was asked, request by request, and what follows from it for a design."""
