"""Maps beside the chain: R2*, susceptibility-weighted images. One file per algorithm."""
