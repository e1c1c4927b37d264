"""Exact samples of noisy graphs from counter-based random streams."""
