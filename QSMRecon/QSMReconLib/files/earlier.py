"""What an earlier run into the same folder means: skip, go on, replace or refuse."""

from ..errors import InputError
from ..stages import STAGES, stage

ORDER = [s.id for s in STAGES]


def steps_of(record):
    """The steps, as dicts, of the run that a provenance file tells of."""
    return record.get("identity", {}).get("steps", [])


def beside_earlier_run(plan, target, request, condition, changed):
    """Skip, resume, replace or refuse, by what is there.

    Parameters
    ----------
    plan : Plan as if nothing were there but the images to start from
    target : Target
    request : Request
    condition, changed : of the earlier run, see :meth:`.Target.condition`

    Returns
    -------
    Plan, the same one

    Raises
    ------
    InputError
        The results are of another recipe, other inputs, or were edited.
    """
    record, wanted, start = plan.record, plan.identity, plan.start
    if not record or request.force:
        return plan
    stored = record["identity"]
    if condition == "complete" and stored == wanted:
        plan.steps = ()
        plan.remarks.append(f"Skipped: complete, {_made_by(record)}.")
        return plan
    same_input = all(stored.get(k) == wanted[k] for k in ("sources", "given", "statements"))
    before, after = steps_of(record), wanted["steps"]
    if start:
        later = [s for s in before if ORDER.index(s["stage"]) >= ORDER.index(start)]
        if not later or (later == after[len(plan.base) :] and condition == "changed"):
            return plan
    elif condition == "complete" and same_input and before == after[: len(before)]:
        return _resumed(plan, target)
    elif condition == "complete" and same_input and after == before[: len(after)]:
        plan.steps = ()
        plan.remarks.append(f"Skipped: complete and run further, {_made_by(record)}.")
        return plan
    if condition == "changed":
        what = f"{changed} was changed since it was made; start from the next stage (--start-from)"
    else:
        what = f"{_difference(stored, wanted)}; choose another output folder"
    raise InputError(
        f"{target.prefix}: {target.directory} holds results {_made_by(record)}, but {what}, or "
        "replace everything with --force"
    )


def _resumed(plan, target):
    """The plan that goes on where a complete, shorter run of the same recipe ended."""
    done = len(steps_of(plan.record))
    steps = plan.steps[done:]
    made = {o.name for s in plan.steps[:done] for o in stage(s.stage).outputs}
    there = target.existing_images(made)
    needed = {
        i.name for s in steps for i in stage(s.stage).inputs if not i.optional and i.name in made
    }
    if needed - set(there):
        return plan
    plan.base, plan.steps, plan.given = plan.steps[:done], steps, there | plan.given
    plan.remarks.append(f"Resumes after {stage(plan.base[-1].stage).title}.")
    return plan


def _made_by(record):
    software = record.get("software", {})
    recipe = record.get("recipe", {}).get("id", "another recipe")
    return f"made by {recipe} with version {software.get('version', 'unknown')}"


def _difference(stored, wanted):
    """Where two identities differ, in words."""
    names = {
        "sources": "the input files differ",
        "given": "the given images differ",
        "statements": "what is stated about the scan differs",
    }
    for key, text in names.items():
        if stored.get(key) != wanted[key]:
            return text
    before = {s["stage"]: s for s in stored["steps"]}
    after = {s["stage"]: s for s in wanted["steps"]}
    for stage_id in ORDER:
        if before.get(stage_id) != after.get(stage_id):
            return f"the recipe differs at {stage(stage_id).title}"
    return "the recipe differs"
