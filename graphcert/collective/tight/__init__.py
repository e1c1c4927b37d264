"""The tight collective certificate: exact trade-offs, and the worst allocation for all groups together."""
