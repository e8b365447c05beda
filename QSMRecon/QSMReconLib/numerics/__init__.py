"""Shared mathematics without policy."""
