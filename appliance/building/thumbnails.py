"""Makes thumbnails in a separate process with limits on memory and time.

A picture may come from anybody. One that claims to be 50,000 pixels wide, or makes a decoder loop, ends that process
and fails its own job, never the worker. Run as a module, this is that process: it reads one request a line and writes
one answer a line.
"""

from __future__ import annotations

import json
import resource
import select
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from appliance.errors import BuildError, ImageFailure

#: Bytes of address space and seconds that one picture may take.
MEMORY, SECONDS = 1 << 30, 30
#: No picture with more pixels is decoded.
PIXELS = 100_000_000


class Resizer:
    """Makes thumbnails. Its process starts with the first one, and again after a failure."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def resize(self, source: Path, target: Path, width: int, quality: int, path: str) -> None:
        """Write a copy of `source`, `width` pixels wide, to `target` in the same format.

        Raises:
            ImageFailure: the picture cannot be decoded within the limits; `path` names the artifact.
            BuildError: the process died; the job may succeed with another one.
        """
        process = self._started()
        answers, requests = process.stdout, process.stdin
        if answers is None or requests is None:  # for the type checker; the process is started with pipes
            raise BuildError(f"{path}: the picture process has no pipes", path)
        request = {"source": str(source), "target": str(target), "width": width, "quality": quality}
        try:
            requests.write(json.dumps(request) + "\n")
            requests.flush()
            ready, _, _ = select.select([answers], [], [], SECONDS)
            answer = json.loads(answers.readline()) if ready else {"error": f"it took more than {SECONDS} s"}
        except (OSError, ValueError):
            self.close()
            raise BuildError(
                f"{path}: the picture cannot be made smaller: the process that decoded it died; it is tried again", path
            ) from None
        if "error" in answer:
            self.close()
            raise ImageFailure(
                f"{path}: the picture cannot be made smaller: {answer['error']}; replace the picture", path
            )

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.communicate()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        return self._process


@lru_cache(maxsize=1)
def _decoded(source: str) -> Any:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = PIXELS
    with Image.open(source, formats=("JPEG", "PNG", "WEBP")) as opened:
        if opened.width * opened.height > PIXELS:
            raise ValueError(f"it has more than {PIXELS} pixels")
        form = opened.format
        upright = ImageOps.exif_transpose(opened)
        upright.load()
    if upright.mode not in ("RGB", "RGBA", "L", "LA"):
        upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
    return upright, form


def _write_thumbnail(request: dict[str, Any]) -> None:
    from PIL import Image

    picture, form = _decoded(request["source"])
    height = max(1, round(picture.height * request["width"] / picture.width))
    thumbnail = picture.resize((request["width"], height), Image.Resampling.LANCZOS)
    # A PNG is not optimised: that takes almost four times as long for less than one percent of its bytes.
    options: dict[str, Any] = {}
    if form in ("JPEG", "WEBP"):
        options["quality"] = request["quality"]
    if form == "JPEG":
        thumbnail, options["progressive"], options["optimize"] = thumbnail.convert("RGB"), True, True
    thumbnail.save(request["target"], form, **options)


def _serve() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        try:
            _write_thumbnail(json.loads(line))
            answer: dict[str, str] = {}
        except Exception as error:  # a decoder may raise anything
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
