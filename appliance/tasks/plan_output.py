"""Plans for people and for programs: the files to build and delete, grouped by reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from appliance.planning.plan import Plan
from appliance.queue.models import ANSWERS
from appliance.tasks.command_line import pluralize, print_line, print_styled


def format_summary(plan: Plan, seconds: float) -> str:
    """Return a line with the number of artifacts and of enqueued jobs."""
    counts = ", ".join(f"{plan.enqueue_results[answer]} {answer}" for answer in ANSWERS)
    enqueued = counts if plan.enqueue_results.total() else "nothing to publish"
    return f"{plan.site}: {plan.artifact_count} artifacts; {enqueued} ({seconds:.2f} s)"


def summary_json(plan: Plan) -> dict[str, Any]:
    """Return the number of artifacts and of enqueued jobs for programs."""
    jobs = {answer: plan.enqueue_results[answer] for answer in ANSWERS}
    sentences = {"faults": plan.faults, "notes": plan.notes}
    return {
        "site": plan.site,
        "artifacts": plan.artifact_count,
        "jobs": jobs,
        "deleted": plan.deletion_count,
        **sentences,
    }


def explanation_json(plan: Plan) -> dict[str, Any]:
    """Return every path to build or delete with all its reasons, for programs."""
    built, by_hand = _built(plan), set(plan.manual_paths)
    return {
        "site": plan.site,
        "build": [{"path": path, "why": plan.reasons[path]} for path in built],
        "delete": plan.deleted_paths,
        "by_hand": [{"path": path, "why": plan.reasons[path]} for path in sorted(by_hand)],
        "refused": plan.refusal or None,
        "faults": plan.faults,
        "notes": plan.notes,
    }


def print_explanation(plan: Plan, limit: int) -> bool:
    """Print the paths to build and delete, at most `limit` per reason (0 for all). Returns whether any were cut."""
    built = _built(plan)
    groups = [*_by_reason("build", plan, built), *_by_reason("by hand", plan, plan.manual_paths)]
    if plan.deleted_paths:
        groups.append(("delete", plan.deleted_paths, "it is no longer wanted"))
    for action, paths, reason in groups:
        print_styled((action, "bold red" if action == "delete" else "bold"), f" {len(paths):,}: {reason}")
        listed = paths[:limit] if limit > 0 else paths
        for path in listed:
            print_line(f"  {path}")
        if len(listed) < len(paths):
            print_styled((f"  and {len(paths) - len(listed):,} more", "dim"))
    print_line(f"{plan.site}: {_format_counts(plan, len(built))}")
    return any(0 < limit < len(paths) for _, paths, _ in groups)


def _format_counts(plan: Plan, built: int) -> str:
    parts = [f"{pluralize(built, 'file')} would be built"] if built else []
    parts += [f"{pluralize(len(plan.deleted_paths), 'file')} would be deleted"] if plan.deleted_paths else []
    parts += (
        [f"{pluralize(len(plan.manual_paths), 'file')} would wait until requested by path"] if plan.manual_paths else []
    )
    return ", ".join(parts) or "nothing to publish"


def _built(plan: Plan) -> list[str]:
    others = {*plan.deleted_paths, *plan.manual_paths}
    return sorted(path for path in plan.reasons if path not in others)


def _by_reason(action: str, plan: Plan, paths: Sequence[str]) -> Iterator[tuple[str, Sequence[str], str]]:
    """Group paths by their reasons. Small groups come first, since they are the unusual ones."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        groups.setdefault(tuple(plan.reasons[path]), []).append(path)
    for reasons, members in sorted(groups.items(), key=lambda group: len(group[1])):
        yield action, members, "; ".join(reasons)
