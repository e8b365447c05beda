"""Uncombined channels -> combined phase (rad) and magnitude. One file per algorithm."""
