"""Checks of a finished run folder: nothing in it is executed, unpickled, followed out of it, or written."""
