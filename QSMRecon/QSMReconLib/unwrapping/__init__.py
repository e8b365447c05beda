"""Wrapped phase (rad) -> unwrapped phase (rad) and phase offset. One file per algorithm."""
