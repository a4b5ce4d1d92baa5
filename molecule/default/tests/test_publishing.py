"""A blog that is imported, published and drained on the publishing host is served by every front end."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from operating import CHECKOUT, DOCROOT, Cluster
from reading import Connection

_FOLDERS = f"cd {DOCROOT} && find . -name '.~tmp~' -prune -o -type d ! -empty -printf '%P %m %u:%g\\n' | LC_ALL=C sort"


def test_every_file_is_on_every_front_end_and_nothing_more(published: Cluster) -> None:
    files = published.await_level()
    assert len(files) > 200
    assert {about.split()[0] for about in files.values()} == {"644"}
    assert {about.split()[1] for about in files.values()} == {"870:870"}
    (publisher,) = published.publishers
    assert published.run(publisher, "id publish").startswith("uid=870(publish) gid=870(publish)")
    folders = {name: published.run(name, _FOLDERS) for name in (publisher, *published.frontends)}
    assert {name: found == folders[publisher] for name, found in folders.items()} == dict.fromkeys(folders, True)
    assert {line.split(" ", 1)[1] for line in folders[publisher].splitlines()} == {"755 publish:publish"}


def test_every_file_is_served_by_every_front_end(published: Cluster) -> None:
    files = published.await_level()
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        asked = sum(pool.map(lambda address: _serves(address, files), published.served().values()))
    print(f"\n{asked} files asked for by HTTP in {time.monotonic() - began:.1f} s", end="")


def _serves(address: str, files: dict[str, str]) -> int:
    """A front end answers for every file with its bytes, and with its own page for what is not there; how many."""
    connection = Connection(address)
    digests = {path: about.split()[-1] for path, about in files.items()}
    for path, digest in digests.items():
        if path.rpartition("/")[2] != "404.html":
            answer = connection.get("/" + quote(path))
            assert (answer.status, hashlib.sha256(answer.body).hexdigest()) == (200, digest), (address, path)
    answer = connection.get("/no/such/page/")
    assert (answer.status, hashlib.sha256(answer.body).hexdigest()) == (404, digests["404.html"])
    connection.close()
    return len(digests)


def test_every_front_end_passes_its_check(published: Cluster) -> None:
    (publisher,) = published.publishers
    said = published.appliance(publisher, "targets.check").splitlines()
    assert [line.split()[0] for line in said] == published.frontends
    assert all(": passed " in line for line in said), said
    targets = json.loads(published.appliance(publisher, "status", "--json"))["targets"]
    assert {target["name"]: target["level"] for target in targets} == dict.fromkeys(published.frontends, True)


def test_the_controller_is_told_what_the_publishing_host_says(published: Cluster) -> None:
    published.await_level()
    program = [sys.executable, "-c", "from appliance.tasks import main; main()"]
    command = [*program, "status", "--inventory", str(published.inventory)]
    asked = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.strip() == published.appliance(published.publishers[0], "status").strip()
