from __future__ import annotations

import importlib.util
import statistics
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "bench" / "content.py"


@pytest.fixture(scope="module")
def content() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_content", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["bench_content"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_blog_is_as_promised(content: ModuleType) -> None:
    made = list(content.posts(1000))
    assert 280 < statistics.mean(len(post.body.split()) for post in made) < 300
    assert {len(set(post.categories)) for post in made} == {3}
    assert {name for post in made for name in post.categories} == set(content.CATEGORIES)
    assert len(content.CATEGORIES) == 20
    assert len({post.author for post in made}) == 8
    assert [post.published for post in made] == sorted({post.published for post in made})
    assert {post.published.year for post in made} == set(range(2018, 2026))
    assert len({post.slug for post in made}) == 1000


def test_the_same_seed_makes_the_same_blog(content: ModuleType) -> None:
    assert list(content.posts(20, seed=1)) == list(content.posts(20, seed=1))
    assert list(content.posts(20, seed=1)) != list(content.posts(20, seed=2))


def test_files_say_what_the_posts_say(content: ModuleType, tmp_path: Path) -> None:
    content.write(tmp_path, 10)
    for post in content.posts(10):
        file = tmp_path / str(post.published.year) / f"{post.slug}.md"
        _, front, body = file.read_text("utf-8").split("+++\n")
        matter = tomllib.loads(front)
        assert (matter["title"], matter["date"], matter["authors"]) == (
            post.title,
            post.published,
            [post.author],
        )
        assert (tuple(matter["categories"]), tuple(matter["tags"])) == (post.categories, post.tags)
        assert body.strip() == post.body.strip()
