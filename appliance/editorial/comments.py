"""Commands that add, edit, moderate and delete comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from appliance import db
from appliance.actor import UNKNOWN, Actor
from appliance.config import Config
from appliance.content import comment_batches, versions
from appliance.content import comments as content
from appliance.content.models import Comment, CommentStatus, Entry, Site
from appliance.editorial import acts, decisions
from appliance.editorial.lookup import find_comment, find_entry
from appliance.editorial.result import NO_VERSIONS, EditResult, apply_edit
from appliance.errors import ContentError


def add_comment(
    config: Config,
    site: str,
    entry: Entry | int | str,
    text: str,
    *,
    author: str,
    email: str = "",
    url: str = "",
    reply_to: Comment | int | None = None,
    status: CommentStatus = "approved",
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[Comment]:
    """Add a comment to an entry, or a reply to another comment on it.

    Raises:
        ContentError: the entry or the comment does not exist, or a field is invalid.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was added.
    """

    def edit(row: Site) -> tuple[Comment, bool]:
        found = find_entry(row, entry)
        parent = find_comment(row, reply_to) if reply_to is not None else None
        with db.write():
            comment = content.add(
                found, author, text, email=email, url=url, parent=parent, status=status, actor=actor.name
            )
            acts.record_comment_added(row, found, comment, actor)
        return comment, True

    return apply_edit(config, site, actor, later, edit)


def edit_comment(
    config: Config,
    site: str,
    comment: Comment | int,
    *,
    text: str | None = None,
    author: str | None = None,
    email: str | None = None,
    url: str | None = None,
    expected_version: str | None = None,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[Comment]:
    """Change the text or the author of a comment.

    `expected_version` is the version of the `CommentRow` that the edit is based on. Without it the last edit wins.

    Raises:
        EditConflict: somebody has changed the comment since that version.
        ContentError: the comment does not exist, or a field is invalid.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was changed.
    """

    def edit(row: Site) -> tuple[Comment, bool]:
        found = find_comment(row, comment)
        with db.write():
            versions.expect(found, expected_version)
            before, address = acts.comment_values(found), found.author_email
            changed = content.edit(found, author_name=author, text=text, email=email, url=url, actor=actor.name)
            acts.record_comment_edited(row, found, before, address != found.author_email, actor)
        return found, changed

    return apply_edit(config, site, actor, later, edit)


def moderate_comments(
    config: Config,
    site: str,
    comments: Sequence[Comment | int],
    status: CommentStatus,
    *,
    expected_versions: Mapping[int, str] = NO_VERSIONS,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[list[Comment]]:
    """Approve comments, hold them for moderation (`pending`) or mark them as spam.

    Either all comments are changed or none. The subject of the result is the list of comments that changed status. A
    spam check on another machine is told of those that it judged differently.
    `expected_versions` maps the id of a comment to the version that the decision is based on.

    Raises:
        EditConflict: somebody has changed one of the comments since its expected version.
        ContentError: one of the comments does not exist.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was changed.
    """

    def edit(row: Site) -> tuple[list[Comment], bool]:
        changed = _decide(config, row, comments, status, expected_versions, actor)
        return changed, bool(changed)

    return apply_edit(config, site, actor, later, edit)


def delete_comments(
    config: Config,
    site: str,
    *comments: Comment | int,
    expected_versions: Mapping[int, str] = NO_VERSIONS,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[list[Comment]]:
    """Delete comments, either all of them or none. Replies to a deleted comment are kept.

    Takes the same versions and raises the same errors as `moderate_comments`.
    """

    def edit(row: Site) -> tuple[list[Comment], bool]:
        deleted = _decide(config, row, comments, "deleted", expected_versions, actor)
        return deleted, bool(deleted)

    return apply_edit(config, site, actor, later, edit)


def _decide(
    config: Config, site: Site, comments: Sequence[Comment | int], decision: decisions.Decision,
    expected: Mapping[int, str], actor: Actor,
) -> list[Comment]:  # fmt: skip
    """Decide about all of the comments or none; returns those that changed."""
    found = [find_comment(site, comment) for comment in comments]
    with db.write():
        versions.expect_all(found, expected)
        locked = comment_batches.lock(one.id for one in found)
        if gone := {one.id for one in found} - {one.id for one in locked}:
            raise ContentError(f"comment {min(gone)} was removed; choose another comment")
        return decisions.apply(config, site, locked, decision, actor=actor)
