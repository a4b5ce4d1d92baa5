"""Everything that leads to an entry leads to the same address: pages, mails, answers to readers."""

from __future__ import annotations

from pathlib import Path

from appliance.planning.permalinks import find_path, page_url
from tests.local_site import archive, local_site


def test_one_address_for_links_on_pages_and_elsewhere(tmp_path: Path) -> None:
    sites = [{"url": "https://blog.example/here/", "folder": "here"}]
    with local_site(
        tmp_path, archive("entry", "{slug}/index.html"), {"entry.html": "{{ entry.url }}"}, sites=sites
    ) as shop:
        entry = shop.save("Tides", address="low, high & (maybe) ünder/index.html")
        assert find_path("entry", entry.id) is None
        shop.run()
        path = find_path("entry", entry.id, built=True)
        assert path == "here/low, high & (maybe) ünder/index.html"
        address = page_url(shop.site, path)
        assert address == "https://blog.example/here/low,%20high%20&%20(maybe)%20%C3%BCnder/"
        assert shop.text(path) == address.removeprefix("https://blog.example").replace("&", "&amp;")
