"""The report of a run over inputs that have one label each."""
