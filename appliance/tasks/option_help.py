"""Help texts of options that many tasks have."""

from __future__ import annotations

from typing import Final

SITE: Final = {"site": "The site; may be omitted when there is only one."}
VERBOSE: Final = {"verbose": "Show the stack trace of an error."}
LATER: Final = {"later": "Only save. The change is built by the next publish, or by the workers within an hour."}
JSON: Final = {"json": "Print one JSON document."}
#: The help of an argument that names an entry.
ENTRY: Final = "The entry: its id, slug, or address below the site."
