"""Editing over Python: what the commands `content.*` do, as plain functions.

Each takes the installation, opened (`publishing.installation`), and the name of a site, which may be empty where there
is only one; says what came of it as a `Done`; and publishes what it changed, unless told `later=True`. Guarantees that
nothing is touched when what is asked makes no sense, when the entry belongs to a source (it is edited there), or when
the site's theme cannot be used.

    from appliance import config, editorial, publishing

    settings = config.load()
    with publishing.installation(settings):
        done = editorial.add(settings, "blog", "Hello", "Hi *there*.", tags=["first"], status="published")
        editorial.edit(settings, "blog", done.subject, title="Hello, world", actor="ada")
"""

from appliance.editorial.comments import comment, comments, delete_comment, edit_comment, moderate
from appliance.editorial.done import Done
from appliance.editorial.entries import add, delete, edit, list_, publish, schedule, show, unpublish
from appliance.editorial.files import assets, move_asset, remove_asset, upload
from appliance.editorial.finding import entry_named, own_entry, site_named
from appliance.editorial.preview import preview
from appliance.editorial.terms import delete_term, merge, rename, terms

__all__ = [
    "Done",
    "add",
    "assets",
    "comment",
    "comments",
    "delete",
    "delete_comment",
    "delete_term",
    "edit",
    "edit_comment",
    "entry_named",
    "list_",
    "merge",
    "moderate",
    "move_asset",
    "own_entry",
    "preview",
    "publish",
    "remove_asset",
    "rename",
    "schedule",
    "show",
    "site_named",
    "terms",
    "unpublish",
    "upload",
]
