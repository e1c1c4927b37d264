"""The report about the nodes of a graph."""
