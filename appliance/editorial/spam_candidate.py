"""What a spam check on another machine is told of a comment that is saved."""

from __future__ import annotations

from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment, Entry, Site
from appliance.editorial.comment_submission import count_links
from appliance.planning.permalinks import find_path, page_url
from appliance.spam.base import Candidate


def describe_candidate(comment: Comment, origin: CommentOrigin, entry: Entry, site: Site) -> Candidate:
    """Describe a comment. A report has to say the same as the check did, so that the service finds what it judged."""
    return Candidate(
        comment.author_name, comment.text, comment.created_at, email=comment.author_email, website=comment.author_url,
        links=count_links(comment.html), is_reply=comment.parent_id is not None, address=origin.address,
        user_agent=origin.user_agent, referrer=origin.referrer, page=page_url(site, find_path(entry.kind, entry.id)),
        site=site.url, language=site.language,
    )  # fmt: skip
