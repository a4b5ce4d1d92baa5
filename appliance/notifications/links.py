"""The links in mails: to pages and comments, and signed ones with which a reader confirms or ends notices."""

from __future__ import annotations

from urllib.parse import urlencode, urljoin

from appliance import db
from appliance.config import Config
from appliance.content.models import Site
from appliance.planning.permalinks import page_url
from appliance.signing import NoticeAction, load_signer


def comment_url(site: Site, path: str | None, comment: int) -> str:
    """The address of a comment on the page with this path in the docroot; of the site if there is no page."""
    return str(site.url) if path is None else f"{page_url(site, path)}#comment-{comment}"


def notice_url(config: Config, site: Site, notice: int, email: str, action: NoticeAction) -> str:
    """The signed address at which the reader with this mail address confirms or ends the notices of a ReplyNotice."""
    token = load_signer().notice(notice, email, action, db.now())
    return urljoin(site.url, f"{config.web.path}{site.name}/notices/{action}?{urlencode({'token': token})}")
