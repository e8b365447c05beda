"""Quantitative susceptibility mapping on NumPy arrays. Start at ``stages.py``: it lists every algorithm."""

__version__ = "0.1.0"
