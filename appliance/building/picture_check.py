"""Decodes one picture in a process of its own, with limits on memory and time; run as a module.

A picture may come from anybody. One that claims to be enormous, or makes a decoder loop or crash, ends this process and
nothing else. The exit status is 0 for a picture of the named format; otherwise the reason is on standard output.
"""

from __future__ import annotations

import resource
import sys
import warnings
from typing import Final

#: Bytes of address space, and seconds of processor time.
MEMORY: Final = 1 << 30
SECONDS: Final = 20
#: No picture with more pixels is decoded, as for thumbnails.
PIXELS: Final = 100_000_000


def check(file: str, form: str) -> str:
    """Decode a picture; returns why it is none, or an empty text."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=[form]) as picture:
                if picture.width * picture.height > PIXELS:
                    return f"it has more than {PIXELS:,} pixels"
                picture.load()
    except Exception as error:  # a decoder may raise anything
        return type(error).__name__ if isinstance(error, MemoryError) else str(error)[:200].replace(file, "it")
    return ""


def main(arguments: list[str]) -> int:
    """Limit this process, and check the picture that the arguments name."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    said = check(arguments[0], arguments[1])
    sys.stdout.write(said)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
