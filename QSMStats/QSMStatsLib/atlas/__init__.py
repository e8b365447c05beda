"""Automatic segmentation of deep gray matter with the atlas that ships with the module."""
