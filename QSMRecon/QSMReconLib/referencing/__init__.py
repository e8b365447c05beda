"""Susceptibility (ppm) -> susceptibility relative to a region. One file per algorithm."""
