"""Packages that Slicer does not bring, with a sentence where one is missing."""

from QSMReconLib.errors import InputError


def statsmodels_api():
    """``statsmodels.api``."""
    try:
        import statsmodels.api as api
    except ImportError:
        raise InputError(
            "Group statistics need statsmodels; install it (pip install statsmodels)"
        ) from None
    return api


def combat_function():
    """``neuroCombat.neuroCombat``."""
    try:
        from neuroCombat import neuroCombat
    except ImportError:
        raise InputError(
            "Harmonisation of sites needs neuroCombat; install it (pip install neuroCombat), or "
            "take the site as a covariate"
        ) from None
    return neuroCombat
