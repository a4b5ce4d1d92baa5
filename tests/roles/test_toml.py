"""The settings that the role `publisher` writes are read as what the inventory says, whatever it says."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

TEMPLATES = Path(__file__).parents[2] / "roles" / "publisher" / "templates"

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_plain = st.one_of(
    _text, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
_values = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3), max_leaves=12
)


@pytest.fixture(scope="module", params=[True, False], ids=["as Ansible trims", "untrimmed"])
def render(request: pytest.FixtureRequest) -> Any:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=request.param, keep_trailing_newline=True
    )
    environment.filters["to_json"] = json.dumps
    template = environment.get_template("appliance.toml.j2")
    return lambda values: template.render(publisher_settings=values)


@settings(deadline=None)
@given(st.dictionaries(_text, _values, max_size=4))
def test_any_settings_are_read_as_they_were_given(render: Any, values: dict[str, Any]) -> None:
    assert tomllib.loads(render(values)) == values


def test_sections_stand_under_headings_and_plain_values_above_them(render: Any) -> None:
    site = {"name": "blog", "settings": {"colour": "red"}, "sources": [{"name": "git"}], "title": 'A "quoted" \\ title'}
    lines = render({"sites": [site], "docroot": "/srv/www", "queue": {"workers": 2}}).splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        'docroot = "/srv/www"',
        "[queue]",
        "workers = 2",
        "[[sites]]",
        'name = "blog"',
        r'title = "A \"quoted\" \\ title"',
        "[sites.settings]",
        'colour = "red"',
        "[[sites.sources]]",
        'name = "git"',
    ]


def test_what_is_null_in_the_inventory_is_left_out(render: Any) -> None:
    assert tomllib.loads(render({"a": None, "b": {"c": None, "d": [{"e": None, "f": 1}]}})) == {"b": {"d": [{"f": 1}]}}
