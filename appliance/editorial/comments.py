"""Commands that add, edit, moderate and delete comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from appliance import db
from appliance.actor import UNKNOWN, Actor
from appliance.config import Config
from appliance.content import comments as content
from appliance.content import versions
from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment, CommentStatus, Entry, Site
from appliance.editorial import acts, spam_reports
from appliance.editorial.comment_judgement import HELD_BY_MODERATOR, WAITS_FOR_CHECK
from appliance.editorial.lookup import find_comment, find_entry
from appliance.editorial.result import NO_VERSIONS, EditResult, apply_edit


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
        rows = [find_comment(row, comment) for comment in comments]
        with db.write():
            found = versions.expect_all(rows, expected_versions)
            before = {comment.id: {"status": comment.status} for comment in found}
            changed = [comment for comment in found if content.set_status(comment, status, actor.name)]
            acts.record_comments_moderated(row, before, changed, {"status": status}, actor)
            if status == "pending":
                _hold_despite_checks(row, found, actor)
            spam_reports.enqueue_reports(config, row, changed, actor)
        return changed, bool(changed)

    return apply_edit(config, site, actor, later, edit)


def _hold_despite_checks(site: Site, comments: Sequence[Comment], actor: Actor) -> None:
    """Let no spam check that is still to come publish what a moderator holds."""
    waiting = (CommentOrigin.comment.in_(comments), CommentOrigin.reason == WAITS_FOR_CHECK)
    ids = {origin.comment_id for origin in CommentOrigin.select(CommentOrigin.comment).where(*waiting)}
    if ids:
        CommentOrigin.update(reason=HELD_BY_MODERATOR).where(*waiting).execute()
        held = [comment for comment in comments if comment.id in ids]
        before = {comment.id: {"reason": WAITS_FOR_CHECK} for comment in held}
        acts.record_comments_moderated(site, before, held, {"reason": HELD_BY_MODERATOR}, actor)


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
        rows = [find_comment(row, comment) for comment in comments]
        with db.write():
            found = versions.expect_all(rows, expected_versions)
            acts.record_comments_deleted(row, found, actor)
            for comment in found:
                content.delete(find_comment(row, comment), actor.name)
        return found, bool(found)

    return apply_edit(config, site, actor, later, edit)
