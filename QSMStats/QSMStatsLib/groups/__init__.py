"""Questions about a cohort by region: models, effect sizes, corrections, pictures, report."""
