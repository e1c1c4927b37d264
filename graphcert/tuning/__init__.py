"""Noise design: `graphcert tune` searches the noise of a run on other seeds and on validation nodes."""
