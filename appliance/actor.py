"""The person or program on whose behalf a command runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Via = Literal["shell", "browser", "api", "python"]


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or program that acts, and the way it came in. The log of changes keeps the name."""

    #: An account's name, or another word for who acts; empty when nobody says.
    name: str = ""
    via: Via = "python"


#: Nobody in particular, over Python.
UNKNOWN: Final = Actor()
