"""A blog is published on one host and edited on the other; all front ends show it."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from operating import CHECKOUT, Cluster, Editor
from reading import Connection, Readers, await_everywhere, is_gone, says

#: Real posts with pictures where they are at hand, else those the appliance comes with.
BLOG = next(f for f in (CHECKOUT.parent / "shared/data/rust-blog", CHECKOUT / "appliance/demo/content") if f.is_dir())


def test_a_blog_is_the_same_on_all_hosts(cluster: Cluster) -> None:
    """A blog is imported and published on pub1: every file is on all hosts, with its bytes, owner, mode and time"""
    cluster.bring(BLOG, "pub1", "/srv/blog")
    cluster.appliance("pub1", "content.import", "/srv/blog")
    cluster.appliance("pub1", "content.add", "Clockwork", "--text", "It goes.", "--status", "published",
                      "--address", "clockwork/index.html")  # fmt: skip
    cluster.appliance("pub1", "publish")
    cluster.appliance("pub1", "drain")
    files = cluster.await_level()
    print(f"\n{len(files)} files of {BLOG.name}")
    assert {about.split()[0] for about in files.values()} == {"644"}
    assert {about.split()[1] for about in files.values()} == {"870:870"}
    assert sum(path.endswith((".jpg", ".png", ".svg")) for path in files) > 5
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda address: _serves(address, files), cluster.served().values()))


def _serves(address: str, files: dict[str, str]) -> None:
    """A front end answers for every file, with its bytes."""
    connection = Connection(address)
    for path, about in files.items():
        if path == "404.html" or "/404.html" in path:
            continue
        answer = connection.get("/" + quote(path))
        assert (answer.status, hashlib.sha256(answer.body).hexdigest()) == (200, about.split()[-1]), path
    connection.close()


def test_readers_come(cluster: Cluster, readers: Readers) -> None:
    """Readers come to all front ends and stay"""
    pages = cluster.run(cluster.publishers[0], "cd /srv/www && find . -name index.html -printf '/%P\n'").splitlines()
    readers.watch(quote(page.removesuffix("index.html")) for page in pages)
    for name, address in cluster.served().items():
        readers.join(name, address)


def test_changes_arrive_by_themselves(cluster: Cluster, editor: Editor) -> None:
    """An edit, a comment, an upload and a deletion on pub2 arrive on all front ends"""
    served = cluster.served()
    cluster.appliance("pub2", "content.add", "Passing", "--text", "It goes.", "--status", "published",
                      "--address", "passing/index.html")  # fmt: skip
    await_everywhere(served, "/passing/", says("It goes."))
    cluster.run("pub2", "head -c 100000 /dev/urandom | base64 >/tmp/upload.txt && chmod 644 /tmp/upload.txt")
    upload = cluster.run("pub2", "cat /tmp/upload.txt")[:1000]

    for what, words, path, seen in (
        ("an edit", ("content.edit", "clockwork", "--text", "It went."), editor.page, says("It went.")),
        ("a comment", ("content.comment", "clockwork", "So it did."), editor.page, says("So it did.")),
        ("an upload", ("content.upload", "/tmp/upload.txt"), "/upload.txt", says(upload)),
        ("a deletion", ("content.delete", "passing"), "/passing/", is_gone),
    ):
        began = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(lambda words=words: (cluster.appliance("pub2", *words), time.monotonic())[1])
            arrived = await_everywhere(served, path, seen)
            command = done.result()
        print(f"\n{what}: on all front ends {1000 * (arrived - began):.0f} ms after its command was given, "
              f"which took {1000 * (command - began):.0f} ms", end="")  # fmt: skip
    cluster.await_level()
