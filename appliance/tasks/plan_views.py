"""A plan as people read it: what would be built and deleted and why, the files of each reason together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from appliance.planning.plan import Plan
from appliance.queue.models import ANSWERS
from appliance.tasks.console import out, tell
from appliance.tasks.edited import counted


def plan_line(plan: Plan, seconds: float) -> str:
    """What planning a site came to."""
    counts = ", ".join(f"{plan.answers[answer]} {answer}" for answer in ANSWERS)
    what = counts if plan.answers.total() else "nothing to publish"
    return f"{plan.site}: {plan.wanted} artifacts; {what} ({seconds:.2f} s)"


def plan_json(plan: Plan) -> dict[str, Any]:
    """What planning a site came to, for programs."""
    jobs = {answer: plan.answers[answer] for answer in ANSWERS}
    return {"site": plan.site, "artifacts": plan.wanted, "jobs": jobs, "deleted": plan.removed, "faults": plan.faults}


def explained_json(plan: Plan) -> dict[str, Any]:
    """What would be done, for programs: every path with all its reasons."""
    built, by_hand = _built(plan), set(plan.by_hand)
    return {
        "site": plan.site,
        "build": [{"path": path, "why": plan.why[path]} for path in built],
        "delete": plan.gone,
        "by_hand": [{"path": path, "why": plan.why[path]} for path in sorted(by_hand)],
        "refused": plan.refusal or None,
        "faults": plan.faults,
    }


def show_explained(plan: Plan, limit: int) -> bool:
    """What would be done, at most `limit` paths a reason (0 for all), and counts; returns whether any were left out."""
    built = _built(plan)
    groups = [*_by_reasons("build", plan, built), *_by_reasons("by hand", plan, plan.by_hand)]
    if plan.gone:
        groups.append(("delete", plan.gone, "it is no longer wanted"))
    for what, paths, why in groups:
        out.print(Text.assemble((what, "bold red" if what == "delete" else "bold"), f" {len(paths):,}: {why}"))
        shown = paths[:limit] if limit > 0 else paths
        for path in shown:
            tell(f"  {path}")
        if len(shown) < len(paths):
            out.print(Text(f"  and {len(paths) - len(shown):,} more", "dim"))
    tell(f"{plan.site}: {_counts(plan, len(built))}")
    return any(0 < limit < len(paths) for _, paths, _ in groups)


def _counts(plan: Plan, built: int) -> str:
    parts = [f"{counted(built, 'file')} would be built"] if built else []
    parts += [f"{counted(len(plan.gone), 'file')} would be deleted"] if plan.gone else []
    parts += [f"{counted(len(plan.by_hand), 'file')} would wait until asked for by path"] if plan.by_hand else []
    return ", ".join(parts) or "nothing to publish"


def _built(plan: Plan) -> list[str]:
    others = {*plan.gone, *plan.by_hand}
    return sorted(path for path in plan.why if path not in others)


def _by_reasons(what: str, plan: Plan, paths: Sequence[str]) -> Iterator[tuple[str, Sequence[str], str]]:
    """The paths that have the same reasons, the fewest first: what is special stands before what is common."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        groups.setdefault(tuple(plan.why[path]), []).append(path)
    for reasons, some in sorted(groups.items(), key=lambda group: len(group[1])):
        yield what, some, "; ".join(reasons)
