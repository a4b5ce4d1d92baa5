"""What somebody may see of an overview."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Visibility:
    """What somebody may see. People who may see the same are shown the same, so that it is read once for all."""

    #: The sites whose jobs and files count; None for the whole installation, with jobs of no site.
    sites: tuple[str, ...] | None = None
    #: Front ends and publishing hosts, processes and disks, periodic tasks.
    targets: bool = True
    processes: bool = True
    schedule: bool = True


#: What somebody on a publishing host sees.
EVERYTHING: Final = Visibility()
