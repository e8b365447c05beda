"""A cohort: who was measured, what is known about each, and the table of all structures."""
