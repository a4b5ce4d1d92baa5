"""The job that compares a published file with what would be built now.

Guarantees that nothing of it is published or recorded as built: the file is built in memory, and only the comparison is
saved. It is bounded in what it reads, compares and keeps.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from appliance import db
from appliance.building import comparisons
from appliance.building.builder import Builder
from appliance.building.comparisons import COMPARE, Comparison, Line
from appliance.building.docroot import File
from appliance.building.loaders import find_artifacts
from appliance.config import Config
from appliance.content.assets import file_digest
from appliance.errors import ApplianceError, SourceExcerpt, UploadElsewhere
from appliance.queue.handlers import JobContext, Outcome, handler
from appliance.queue.retry import RetryPolicy

#: Bytes and lines of a file that are compared line by line.
_LARGEST: Final = 2 << 20
_MOST_LINES: Final = 20_000
#: Lines around a difference, lines that are kept, and characters of each.
_CONTEXT: Final = 3
_KEPT_LINES: Final = 1_000
_WIDEST: Final = 500

_RETRY = RetryPolicy(max_retries=1, short_snooze_on=(UploadElsewhere,))


@handler(COMPARE, retry=_RETRY, slow=False)
def compare_file(_payload: object, context: JobContext) -> Outcome:
    """Compare the file that the key of the job names, and save the result.

    Raises:
        UploadElsewhere: another publishing host has its bytes and will take the job.
    """
    comparisons.save(context.key, compare(context.config, context.key))
    return "changed"


def compare(config: Config, path: str) -> Comparison:
    """Compare the file at a path of this host's docroot with what would be built now.

    Raises:
        UploadElsewhere: its bytes are on another publishing host.
    """
    host = config.host_name
    try:
        built = _build(config, path)
    except UploadElsewhere:
        raise
    except ApplianceError as error:
        excerpt: SourceExcerpt | None = getattr(error, "excerpt", None)
        return Comparison("broken", host, str(error), excerpt=excerpt)
    file = config.docroot / path
    published = File(file, file_digest(file), file.stat().st_size) if file.is_file() else None
    if built is None:
        return Comparison("gone", host, published_size=published.size if published else None)
    sizes = (published.size if published else None, built.size if isinstance(built, File) else len(built))
    if published and published.digest == _digest(built):
        return Comparison("same", host, "", *sizes)
    old, new = _lines(published), _lines(built)
    if old is None or new is None:
        return Comparison("opaque", host, "", *sizes)
    lines = list(islice(_differences(old, new), _KEPT_LINES + 1))
    message = f"Only the first {_KEPT_LINES:,} lines are shown." if len(lines) > _KEPT_LINES else ""
    return Comparison("differs", host, message, *sizes, lines[:_KEPT_LINES])


def _build(config: Config, path: str) -> bytes | File | None:
    """The content of a file as it would be now; None if the site has none there any more."""
    builder = Builder(config)
    try:
        with db.snapshot():
            artifact = find_artifacts([path]).get(path)
            builds = builder.load([artifact]) if artifact and artifact.wanted else {}
        return builds[path]().content if path in builds else None
    finally:
        builder.close()


def _digest(content: bytes | File) -> str:
    return content.digest if isinstance(content, File) else hashlib.blake2b(content, digest_size=32).hexdigest()


def _lines(content: bytes | File | None) -> list[str] | None:
    """The lines of a text; none of a file that is not there, and None for what is no text or too long."""
    if content is None:
        return []
    size = content.size if isinstance(content, File) else len(content)
    if size > _LARGEST:
        return None
    data = content.path.read_bytes() if isinstance(content, File) else content
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    lines = text.split("\n")
    return None if "\0" in text or len(lines) > _MOST_LINES else lines


def _differences(old: list[str], new: list[str]) -> Iterator[Line]:
    """The lines that differ, with those around them."""
    compared: Iterable[str] = islice(difflib.unified_diff(old, new, n=_CONTEXT, lineterm=""), 2, None)
    for number, line in enumerate(compared):
        if line.startswith("@@"):
            if number:
                yield "…", ""
        else:
            yield line[0], line[1:][:_WIDEST]
