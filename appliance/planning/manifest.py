"""The tables of a theme's manifest, `theme.toml`, with their keys, defaults and priorities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from appliance import clock

ArchiveType = Literal[
    "entry", "page", "daily", "weekly", "monthly", "yearly", "category", "author", "tag",
    "category-daily", "category-weekly", "category-monthly", "category-yearly",
    "author-daily", "author-weekly", "author-monthly", "author-yearly",
]  # fmt: skip

#: Default priorities of archives, as Movable Type documents them for its publish queue; higher comes first.
PRIORITIES: Final[Mapping[str, int]] = {"daily": 4, "weekly": 3, "monthly": 2}
FILE_PRIORITY: Final = 10
REDIRECT_PRIORITY: Final = 5
FEED_PRIORITY: Final = 9


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_span(text: str) -> str:
    clock.parse_duration(text)
    return text


#: A duration as people write it: `30s`, `10m`, `2h`, `7d`.
Span = Annotated[str, AfterValidator(_check_span)]

#: From which end the pages of a listing are counted.
PageOrder = Literal["oldest", "newest"]

#: When an artifact is built.
BuildType = Literal["queue", "now", "hand", "never"]

_BUILD = (
    "When its files are built: `queue` by workers, `now` by the process that publishes, `hand` only when requested by"
    " path, `never` not at all."
)
_COUNT_PAGES_FROM = (
    "From which end further pages are counted. From the `oldest` entries: a page keeps its entries, and a new entry"
    " changes only the newest page or two. From the `newest` entries: page 2 always follows the first, and a new entry"
    " changes every page."
)
_EVERY = "The least interval between two builds of one of its files, such as `10m`, `2h` or `1d`; none when absent."


class IndexTemplate(_Table):
    """An index template: one file, or several pages of one listing."""

    template: str = Field(description="Path of the template below the theme.")
    path: str = Field(description="Path of its file below the site.")
    paginate: int = Field(0, ge=0, description="Entries on each page; 0 for one page only.")
    page_path: str = Field("page/{page}/index.html", description="Path of further pages, beside the first.")
    count_pages_from: PageOrder = Field("oldest", description=_COUNT_PAGES_FROM)
    entries: int = Field(10, ge=0, description="Number of entries without pagination; 0 for all.")
    feed: bool = Field(False, description="Whether it is a feed, which pages announce and which has priority 9.")
    sitemap: bool = Field(False, description="Whether it gets the URLs of all pages instead of entries.")
    priority: int | None = Field(None, description="Priority of its jobs, in place of the default.")
    every: Span | None = Field(None, description=_EVERY)
    build: BuildType = Field("queue", description=_BUILD)

    @property
    def effective_priority(self) -> int:
        """The priority of its jobs: its own, or the default for its file name."""
        if self.priority is not None:
            return self.priority
        name = PurePosixPath(self.path).name.lower()
        return FEED_PRIORITY if self.feed or name.startswith(("index", "default")) else 8


class ArchiveMap(_Table):
    """An archive map: one file for each entry, page, term, author or period, or for each combination."""

    type: ArchiveType = Field(description="What it makes one file for.")
    template: str = Field(description="Path of the template below the theme.")
    path: str = Field(description="The path pattern below the site.")
    preferred: bool = Field(
        False,
        description="Whether it gives its subjects their address. The first map of a type does by default.",
    )
    paginate: int = Field(0, ge=0, description="Entries on each page; 0 for all on one.")
    page_path: str = Field("page/{page}/index.html", description="Path of further pages, beside the first.")
    count_pages_from: PageOrder = Field("oldest", description=_COUNT_PAGES_FROM)
    priority: int | None = Field(None, description="Priority of its jobs, in place of the default.")
    every: Span | None = Field(None, description=_EVERY)
    build: BuildType = Field("queue", description=_BUILD)

    def effective_priority(self, preferred: bool) -> int:
        """The priority of its jobs: its own, or the default for its type."""
        if self.priority is not None:
            return self.priority
        if self.type in ("entry", "page"):
            return 10 if preferred else 5
        return PRIORITIES.get(self.type, 1)


class StaticFiles(_Table):
    """Files that are published unchanged."""

    folder: str = Field("static", description="The folder below the theme.")
    path: str = Field("theme", description="Their path below the site.")


class Redirects(_Table):
    """The template that answers requests for former addresses."""

    template: str = Field("redirect.html", description="Path of the template below the theme.")


class Thumbnails(_Table):
    """Smaller copies of pictures."""

    widths: list[Annotated[int, Field(gt=0)]] = Field(
        default_factory=lambda: [480, 960, 1440],
        description="Widths in pixels. None is made that is larger than the picture.",
    )
    sizes: str = Field("100vw", description="The `sizes` attribute of pictures in entries.")
    quality: int = Field(82, ge=1, le=100, description="Quality of JPEG and WebP.")


class Manifest(_Table):
    """The whole of `theme.toml`."""

    name: str = Field(description="Name of the theme.")
    version: str = Field("1", description="Version of the theme.")
    description: str = Field("", description="One sentence about the theme.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Settings of the theme, with their defaults.")
    index: list[IndexTemplate] = Field(default_factory=list, description="Index templates.")
    archive: list[ArchiveMap] = Field(default_factory=list, description="Archive maps.")
    static: StaticFiles = Field(default_factory=StaticFiles, description="Files that are published unchanged.")
    redirect: Redirects | None = Field(
        None, description="How requests for former addresses are answered; not at all when absent."
    )
    thumbnails: Thumbnails = Field(default_factory=Thumbnails, description="Smaller copies of pictures.")
