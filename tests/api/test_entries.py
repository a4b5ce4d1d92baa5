from __future__ import annotations

from typing import Any

from appliance.config import Config
from appliance.content.models import Entry
from tests.api.conftest import Caller, MakeCaller


def add(who: Caller, site: str = "blog", **fields: Any) -> dict[str, Any]:
    answer = who.post(f"/sites/{site}/entries", {"title": "Hello", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def test_an_entry_is_added_read_edited_and_deleted(config: Config, caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    answer = editor.post("/sites/blog/entries", {"title": "Hello", "text": "Hi *there*.", "tags": ["first"]})
    assert answer.status_code == 201, answer.text
    entry = answer.json
    assert answer.headers["Location"] == f"/api/v1/sites/blog/entries/{entry['id']}"
    assert answer.headers["ETag"] == f'"{entry["version"]}"'
    assert (entry["status"], entry["html"], entry["tags"]) == ("draft", "<p>Hi <em>there</em>.</p>\n", ["first"])
    read = editor.get(f"/sites/blog/entries/{entry['id']}")
    assert read.json == entry
    assert editor.get(f"/sites/blog/entries/{entry['id']}", If_None_Match=read.headers["ETag"]).status_code == 304
    edited = editor.patch(f"/sites/blog/entries/{entry['id']}", {"status": "published", "title": "Bye"})
    assert edited.status_code == 200, edited.text
    assert (edited.json["title"], edited.json["status"], edited.json["tags"]) == ("Bye", "published", ["first"])
    assert editor.delete(f"/sites/blog/entries/{entry['id']}").status_code == 204
    assert editor.get(f"/sites/blog/entries/{entry['id']}").status_code == 404
    assert Entry.select().count() == 0
