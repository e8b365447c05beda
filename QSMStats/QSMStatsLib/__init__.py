"""Statistics on susceptibility maps, structure by structure. Start at ``measures.py``."""
