"""Small exports as WordPress writes them, put together from a few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BLOG = "https://old.example/blog"
HEAD = """<?xml version="1.0" encoding="UTF-8" ?>
<!-- generator="WordPress/6.4" created="2024-05-01 10:00" -->
<rss version="2.0" xmlns:excerpt="{scheme}://wordpress.org/export/{version}/excerpt/"
 xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:wp="{scheme}://wordpress.org/export/{version}/"><channel>
<title>Old Blog</title><link>{link}</link><wp:wxr_version>{version}</wp:wxr_version>
<wp:base_site_url>{link}</wp:base_site_url><wp:base_blog_url>{link}</wp:base_blog_url>
"""


def cdata(text: str) -> str:
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def values(given: dict[str, Any]) -> str:
    return "".join(f"<{name}>{cdata(str(value))}</{name}>" for name, value in given.items())


def comment(number: int, text: str, **given: Any) -> str:
    said = {
        "comment_id": number, "comment_author": "Ida", "comment_author_email": "ida@example.org",
        "comment_author_url": "https://ida.example/", "comment_date": "2024-05-02 12:00:00",
        "comment_date_gmt": "2024-05-02 10:00:00", "comment_content": text, "comment_approved": "1",
        "comment_type": "comment", "comment_parent": 0, **given,
    }  # fmt: skip
    return "<wp:comment>" + values({f"wp:{name}": value for name, value in said.items()}) + "</wp:comment>"


def item(number: int, title: str = "", text: str = "", **given: Any) -> str:
    """An item; `more` is XML put into it, `link` and other names without a prefix stand for themselves."""
    slug = given.get("post_name", title.lower().replace(" ", "-"))
    kind = given.get("post_type", "post")
    plain = {
        "title": title,
        "link": given.pop("link", f"{BLOG}/2024/05/01/{slug}/" if kind == "post" else f"{BLOG}/{slug}/"),
        "dc:creator": given.pop("creator", "ida"),
        "guid": f"{BLOG}/?p={number}",
        "content:encoded": text,
        "excerpt:encoded": given.pop("excerpt", ""),
    }
    more = given.pop("more", "")
    said = {
        "post_id": number, "post_date": "2024-05-01 12:00:00", "post_date_gmt": "2024-05-01 10:00:00",
        "comment_status": "open", "post_name": slug, "status": "publish", "post_parent": 0, "menu_order": 0,
        "post_type": kind, "post_password": "", "is_sticky": 0, **given,
    }  # fmt: skip
    return "<item>" + values(plain) + values({f"wp:{name}": value for name, value in said.items()}) + more + "</item>"


def author(login: str, name: str) -> str:
    return f"<wp:author>{values({'wp:author_login': login, 'wp:author_display_name': name})}</wp:author>"


def category(number: int, nicename: str, name: str, parent: str = "", description: str = "") -> str:
    said = {"term_id": number, "category_nicename": nicename, "category_parent": parent, "cat_name": name,
            "category_description": description}  # fmt: skip
    return "<wp:category>" + values({f"wp:{key}": value for key, value in said.items()}) + "</wp:category>"


def term(domain: str, nicename: str, name: str) -> str:
    return f'<category domain="{domain}" nicename="{nicename}">{cdata(name)}</category>'


def meta(key: str, value: Any) -> str:
    return f"<wp:postmeta>{values({'wp:meta_key': key, 'wp:meta_value': value})}</wp:postmeta>"


def attachment(number: int, name: str, **given: Any) -> str:
    url = f"{BLOG}/wp-content/uploads/2024/05/{name}"
    more = given.pop("more", "") + values({"wp:attachment_url": url})
    return item(number, name, post_type="attachment", status="inherit", more=more, **given)


def write(file: Path, *parts: str, version: str = "1.2", scheme: str = "http", link: str = BLOG) -> Path:
    head = HEAD.format(version=version, scheme=scheme, link=link)
    file.write_text(head + "\n".join(parts) + "\n</channel></rss>\n", "utf-8")
    return file
