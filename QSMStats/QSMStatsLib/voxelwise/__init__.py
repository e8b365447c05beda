"""Voxelwise group statistics of normalised maps: linear model, permutations, TFCE, tables."""
