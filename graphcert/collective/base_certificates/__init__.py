"""Certificates of single nodes, as grids of budgets, put together into one: the strictly local certificate."""
