"""Local field (Hz) -> susceptibility (ppm). One file per algorithm."""
