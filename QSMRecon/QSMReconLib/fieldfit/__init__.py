"""Unwrapped phase (rad) of all echoes -> total field (Hz), its noise, its reliability."""
