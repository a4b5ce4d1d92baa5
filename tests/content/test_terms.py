import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import Config
from appliance.content import sites
from appliance.content.models import Category, Change, Tag
from appliance.content.terms import SLUG_BYTES, SiteTerms, slugify


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Hello, World!", "hello-world"), ("Größe & Maß", "grosse-and-mass"), ("Crème brûlée", "creme-brulee"),
        ("Łódź", "lodz"), ("C", "c"), ("C++", "c-plus-plus"), ("C#", "c-sharp"), ("日本語 ブログ", "日本語-ブログ"),
        ("Чай", "чай"), ("हिन्दी", "हिन्दी"), ("..", "n-d1cf9b62"), ("", "untitled"), ("Don't", "dont"),
        ("a/b\\c", "a-b-c"),
    ],
)  # fmt: skip
def test_slugs(text: str, slug: str) -> None:
    made = slugify(text)
    assert made == slug if slug != "n-d1cf9b62" else made.startswith("n-")


@given(st.text())
def test_a_slug_is_one_plain_segment(text: str) -> None:
    slug = slugify(text)
    assert slug
    assert slug not in (".", "..")
    assert not set(slug) & set("/\\.?#% \n\t\0")
    assert len(slug.encode()) <= SLUG_BYTES
    assert slugify(slug) == slug


def test_terms_are_made_once_and_categories_nest(config: Config) -> None:
    site = sites.sync(config)["blog"]
    first, second = SiteTerms(site), SiteTerms(site)
    local = first.category_id(["News", "Local"])
    assert second.category_id(["news", "LOCAL"]) == local
    assert Category.get_by_id(local).path == "news/local"
    assert Category.get_by_id(local).parent.name == "News"
    assert first.tag_id("Rust") == second.tag_id("rust ")
    assert Tag.select().count() == 1
    assert Change.select().where(Change.event == "category added").count() == 2
