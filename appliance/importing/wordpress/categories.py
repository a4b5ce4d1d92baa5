"""The categories that texts of an export have: made, described as the file does, and found by links."""

from __future__ import annotations

from appliance.content.models import Category
from appliance.content.terms import Terms, describe_category
from appliance.importing.wordpress.blog import Blog


def save(blog: Blog, terms: Terms, source: str, actor: str) -> None:
    """Make the categories that texts have, and say of them what the file says."""
    vocabulary, index = blog.vocabulary, blog.index
    used = {path[:depth] for path in blog.used_categories for depth in range(1, len(path) + 1)}
    numbers = {nicename: number for number, nicename in vocabulary.by_number.items()}
    for nicename, category in vocabulary.categories.items():
        path = vocabulary.names(nicename)
        if path in used:
            key = terms.category(path)
            index.categories[nicename] = index.category_numbers[numbers.get(nicename, 0)] = f"appliance:category/{key}"
            _describe(key, nicename, category.description, source, actor)


def _describe(key: int, nicename: str, description: str, source: str, actor: str) -> None:
    """Give a category its description, unless somebody else gave it one."""
    row = Category.get_by_id(key)
    is_ours = row.source == source and row.source_path == f"category/{nicename}"
    is_free = row.source is None and not row.description and description
    if is_ours or is_free:
        describe_category(
            key, name=row.name, address=row.address, description=description, always=row.always, source=source,
            source_path=f"category/{nicename}", actor=actor,
        )  # fmt: skip
