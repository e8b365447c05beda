"""Quantitative susceptibility mapping on NumPy arrays. Start at ``stages.py``."""

__version__ = "0.1.0"
