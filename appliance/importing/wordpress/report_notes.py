"""The notes at the end of the report on a WordPress import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from appliance.importing.report import Report
from appliance.importing.wordpress.export_contents import ExportContents
from appliance.importing.wordpress.post_content import MarkupCounts

_LISTED = 5
_LISTED_NAMES = 20


def add(
    report: Report, contents: ExportContents, counts: MarkupCounts, unresolved: Counter[str], other_files: int
) -> None:
    """Add what a person should know besides the counts.

    Args:
        report: the report.
        contents: the export.
        counts: what its texts have that is not converted.
        unresolved: how often each address of the old site is linked that leads to nothing imported.
        other_files: how many files were imported that are not attachments.
    """
    notes = report.notes
    notes += [f"{note} ({len(labels)}): {shorten_list(labels)}" for note, labels in contents.draft_notes.items()]
    if other_files:
        notes.append(f"files that texts show and that are not attachments were imported as well: {other_files}")
    if unresolved:
        notes.append(
            f"links to {contents.address} that lead to nothing that was imported stay as they are "
            f"({unresolved.total()}): {shorten_list(sorted(unresolved))}"
        )
    if counts.shortcodes:
        notes.append(f"shortcodes stay as text, since only WordPress can expand them: {_numbers(counts.shortcodes)}")
    if counts.blocks:
        notes.append(f"blocks that only WordPress can fill in are left out: {_numbers(counts.blocks)}")
    if counts.embeds:
        notes.append(f"addresses on a line of their own became links, where WordPress shows the media: {counts.embeds}")
    if counts.page_breaks:
        notes.append(f"page breaks are left out, each text is one page here: {counts.page_breaks}")


def shorten_list(labels: Sequence[str]) -> str:
    """The first labels, and a sign that there are more."""
    return "; ".join(labels[:_LISTED]) + (" …" if len(labels) > _LISTED else "")


def _numbers(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in sorted(counts.items())[:_LISTED_NAMES])
