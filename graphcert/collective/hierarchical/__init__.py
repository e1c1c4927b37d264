"""Noise on selected rows and ablation: choices of rows, each with the lower noise."""
