"""The one place that states the version of graphcert."""

__version__ = "0.1.0"
