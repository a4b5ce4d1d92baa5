"""The bytes of uploads: kept by digest on the host that took them, and on any other once it needs them.

Guarantees that what is found has the digest it was asked for. Every publishing host has the whole docroot, so the bytes
of whatever was published once are on each of them, and no upload is lost with the host that took it.
"""

from __future__ import annotations

from pathlib import Path

from appliance import db
from appliance.building.artifacts import Made
from appliance.config import Config
from appliance.content.assets import keep_exactly, kept_file
from appliance.content.models import Asset, Site
from appliance.errors import BuildError, UploadElsewhere


def find(config: Config, asset: int, digest: str) -> Path | None:
    """The kept bytes of an upload, from this host's docroot if they were not kept before; None when neither has them.

    Raises:
        ContentError: the docroot has them, and they cannot be kept.
    """
    kept = kept_file(config, digest)
    if kept.is_file():
        return kept
    published = db.execute(
        "SELECT path FROM artifact WHERE type = 'asset' AND subject = ? AND digest = ? ORDER BY id", [asset, digest]
    ).fetchall()
    if any(keep_exactly(config, config.docroot / path, digest) for (path,) in published):
        return kept
    return None


def at_hand(config: Config, asset: int, digest: str, path: str) -> Path:
    """The kept bytes of an upload, for the artifact at `path`.

    Raises:
        UploadElsewhere: another publishing host has them, or none.
        BuildError: there is no other host, and they are not here.
        ContentError: as `find`.
    """
    if found := find(config, asset, digest):
        return found
    if len(config.publishing_hosts) > 1:
        raise UploadElsewhere(
            f"{path}: the upload's bytes are on another publishing host, which publishes it when it takes the job; if"
            " that host is gone for good, upload the file again",
            path,
        )
    kept = kept_file(config, digest)
    raise BuildError(f"{path}: the upload's bytes are missing, {kept}; restore the file or import it again", path)


def gather(config: Config, site: Site) -> None:
    """Keep here what the docroot has of a site's uploads.

    Raises:
        ContentError: as `find`.
    """
    for asset in Asset.select(Asset.id, Asset.digest).where(Asset.site == site).tuples().iterator():
        find(config, *asset)


def keep_of(config: Config, artifact: Made) -> None:
    """Keep the bytes of an upload whose file is about to be deleted, while it is still an upload: it has moved.

    Raises:
        ContentError: as `find`.
    """
    if artifact.type != "asset" or artifact.subject is None or artifact.digest is None:
        return
    if Asset.select().where(Asset.id == artifact.subject, Asset.digest == artifact.digest).exists():
        find(config, artifact.subject, artifact.digest)
