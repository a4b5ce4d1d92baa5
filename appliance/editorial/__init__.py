"""Commands that edit content and queries that read it, for the shell, the browser and the API.

Each function takes the settings of an installation opened with `open_installation` and the name of a site. The name
may be empty if there is only one site. A command returns an `EditResult` and publishes the change, unless it is called
with `later=True`. A query returns typed rows and writes nothing.

A command changes nothing if an argument is invalid, if the content comes from a source and must be edited there, if
the theme of the site cannot be used, or if somebody has changed the content since the expected version.

    from appliance import config, editorial
    from appliance.actor import Actor
    from appliance.installation import open_installation

    settings = config.load()
    with open_installation(settings):
        result = editorial.add_entry(settings, "blog", "Hello", "Hi *there*.", tags=["first"], status="published")
        entry = editorial.get_entry(settings, "blog", result.subject)
        editorial.edit_entry(
            settings, "blog", entry.id, title="Hello, world", expected_version=entry.version, actor=Actor("ada")
        )
"""

from appliance.content.sites import find_site
from appliance.editorial.assets import move_asset, remove_assets, upload_asset
from appliance.editorial.comments import add_comment, delete_comments, edit_comment, moderate_comments
from appliance.editorial.entries import (
    add_entry,
    delete_entries,
    edit_entry,
    publish_entry,
    schedule_entry,
    unpublish_entry,
)
from appliance.editorial.lookup import find_editable_entry, find_entry
from appliance.editorial.preview import preview_entry
from appliance.editorial.queries.assets import AssetFilter, AssetRow, count_assets, get_asset, list_assets
from appliance.editorial.queries.comments import CommentFilter, CommentRow, count_comments, get_comment, list_comments
from appliance.editorial.queries.entries import (
    EntryDetails,
    EntryFilter,
    EntryRow,
    count_entries,
    get_entry,
    list_entries,
)
from appliance.editorial.queries.terms import TermFilter, TermRow, count_terms, get_term, list_terms
from appliance.editorial.result import EditResult
from appliance.editorial.terms import delete_term, merge_terms, rename_term

__all__ = [
    "AssetFilter",
    "AssetRow",
    "CommentFilter",
    "CommentRow",
    "EditResult",
    "EntryDetails",
    "EntryFilter",
    "EntryRow",
    "TermFilter",
    "TermRow",
    "add_comment",
    "add_entry",
    "count_assets",
    "count_comments",
    "count_entries",
    "count_terms",
    "delete_comments",
    "delete_entries",
    "delete_term",
    "edit_comment",
    "edit_entry",
    "find_editable_entry",
    "find_entry",
    "find_site",
    "get_asset",
    "get_comment",
    "get_entry",
    "get_term",
    "list_assets",
    "list_comments",
    "list_entries",
    "list_terms",
    "merge_terms",
    "moderate_comments",
    "move_asset",
    "preview_entry",
    "publish_entry",
    "remove_assets",
    "rename_term",
    "schedule_entry",
    "unpublish_entry",
    "upload_asset",
]
