"""Magnitude and phase -> brain mask. One file per algorithm."""
