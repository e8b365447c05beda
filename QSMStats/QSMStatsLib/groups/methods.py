"""Methods text of a group analysis, with the papers it rests on."""

from ..cohort.cohort import MEASURES
from ..cohort.columns import label_of

SOURCES = {
    "statsmodels": "Seabold and Perktold, Proc 9th Python in Science Conf 2010:92-96, "
    "doi:10.25080/Majora-92bf1922-011",
    "bh": "Benjamini and Hochberg, J R Stat Soc B 1995;57:289-300, "
    "doi:10.1111/j.2517-6161.1995.tb02031.x",
    "d": "Nakagawa and Cuthill, Biol Rev 2007;82:591-605, doi:10.1111/j.1469-185X.2007.00027.x",
    "interval": "Steiger, Psychol Methods 2004;9:164-182, doi:10.1037/1082-989X.9.2.164",
    "hc3": "Long and Ervin, Am Stat 2000;54:217-224, doi:10.1080/00031305.2000.10474549",
    "huber": "Huber, Ann Math Stat 1964;35:73-101, doi:10.1214/aoms/1177703732",
    "permutation": "Winkler et al., NeuroImage 2014;92:381-397, "
    "doi:10.1016/j.neuroimage.2014.01.060",
    "mixed": "Laird and Ware, Biometrics 1982;38:963-974, doi:10.2307/2529876",
    "combat": "Johnson, Li and Rabinovic, Biostatistics 2007;8:118-127, "
    "doi:10.1093/biostatistics/kxj037; Fortin et al., NeuroImage 2018;167:104-120, "
    "doi:10.1016/j.neuroimage.2017.11.024",
    "content": "Schweser et al., Hum Brain Mapp 2021;42:1463-1474, doi:10.1002/hbm.25306",
}
_TESTS = {
    "classical": "P values are those of the t tests of the coefficients",
    "hc3": "P values allow variances that differ between scans (HC3)",
    "robust": "P values are those of a fit with Huber's weights",
    "welch": "P values are those of Welch's test of two groups, without adjustment",
    "permutation": "P values come from permutations of the residuals (Freedman and Lane)",
}
_CORRECTIONS = {
    "bh": "corrected for the number of structures after Benjamini and Hochberg",
    "bonferroni": "corrected for the number of structures after Bonferroni",
    "fwe": "corrected by the largest t of all structures in each permutation",
    "none": "not corrected for the number of structures",
}


def methods_text(result):
    """Paragraphs that say what was done."""
    s, recipe = result.recipe.settings, result.recipe
    listed = ", ".join(MEASURES[m][0] for m in s.measures)
    sides = {"both": "both sides together"}
    yield (
        f"The {listed} of {len(result.cohort.structures)} structures "
        f"({', '.join(sides.get(x, x) for x in s.sides)}) were analysed. Susceptibility content is "
        "the mean times the volume; it falls with atrophy where the concentration (the mean) does "
        "not, and depends on the reference of the maps."
    )
    if recipe.harmonise:
        yield (
            f"Values were harmonised between {label_of(recipe.harmonise['column'])}s by ComBat "
            "with empirical Bayes estimates."
        )
    for answer in result.answers:
        q = answer.question
        kind = {
            "cross-section": "a linear model",
            "change": "a linear model of the change per year between two scans",
            "mixed": f"a linear model with a random intercept of the {q.random}",
        }[q.kind]
        yield f"{q.title}: {kind}, n = {answer.n}."
    text = (
        f"{_TESTS[s.test]}, {_CORRECTIONS[s.correction]}, separately for each question, measure "
        f"and contrast; level {s.alpha:g}. Numbers were centred; adjusted means hold at the means "
        f"of the covariates. Intervals cover {s.coverage:.0%}. Cohen's d is the adjusted "
        "difference over the residual standard deviation; its interval and that of partial eta "
        "squared come from noncentral distributions, those of correlations from Fisher's z."
    )
    if s.permutations:
        text += f" {s.permutations} permutations, seed {s.seed}."
    yield text
    names = recipe.as_dict()["versions"]
    yield "Computed with " + ", ".join(f"{k} {v}" for k, v in names.items()) + "."


def citations(result):
    """Papers behind what was done."""
    s = result.recipe.settings
    keys = ["statsmodels", "d", "interval", "hc3"]
    keys += ["bh"] if s.correction == "bh" else []
    keys += ["huber"] if s.robust else []
    keys += ["permutation"] if s.permutations else []
    keys += ["mixed"] if any(a.question.kind == "mixed" for a in result.answers) else []
    keys += ["combat"] if result.recipe.harmonise else []
    keys += ["content"] if "mass_ppb_ml" in s.measures else []
    return [SOURCES[k] for k in keys]
