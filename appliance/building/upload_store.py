"""The bytes of uploads: kept under their digest on the host that received them, and on other hosts once they need them.

Guarantees that bytes have the digest under which they are found. Every publishing host has the whole docroot, and with
it the bytes of every published upload, so no published upload is lost with the host that received it.
"""

from __future__ import annotations

from pathlib import Path

from appliance import db
from appliance.building.loaders import ArtifactRow
from appliance.config import Config
from appliance.content.assets import store_matching_file, stored_path
from appliance.content.models import Asset, Site
from appliance.errors import BuildError, UploadElsewhere


def find_upload(config: Config, asset: int, digest: str) -> Path | None:
    """The file with the bytes of an upload, or None if this host has none. Copied from the docroot if that has them.

    Raises:
        ContentError: the docroot has the bytes, but they cannot be kept.
    """
    kept = stored_path(config, digest)
    if kept.is_file():
        return kept
    published = db.execute(
        "SELECT path FROM artifact WHERE type = 'asset' AND subject = ? AND digest = ? ORDER BY id", [asset, digest]
    ).fetchall()
    if any(store_matching_file(config, config.docroot / path, digest) for (path,) in published):
        return kept
    return None


def require_upload(config: Config, asset: int, digest: str, path: str) -> Path:
    """The file with the bytes of an upload, for the artifact at `path`.

    Raises:
        UploadElsewhere: another publishing host may have the bytes.
        BuildError: there is no other host, and this one does not have them.
        ContentError: as for `find_upload`.
    """
    if found := find_upload(config, asset, digest):
        return found
    if len(config.publishing_hosts) > 1:
        raise UploadElsewhere(
            f"{path}: the upload's bytes are on another publishing host, which publishes it when it takes the job; if"
            " that host is gone for good, upload the file again",
            path,
        )
    kept = stored_path(config, digest)
    raise BuildError(f"{path}: the upload's bytes are missing, {kept}; restore the file or import it again", path)


def keep_published_uploads(config: Config, site: Site) -> None:
    """Keep the bytes of a site's uploads that are in the docroot of this host.

    Raises:
        ContentError: as for `find_upload`.
    """
    for asset in Asset.select(Asset.id, Asset.digest).where(Asset.site == site).tuples().iterator():
        find_upload(config, *asset)


def keep_before_deletion(config: Config, artifact: ArtifactRow) -> None:
    """Keep the bytes of an upload when a file of it is about to be deleted because the upload has moved.

    Raises:
        ContentError: as for `find_upload`.
    """
    if artifact.type != "asset" or artifact.subject is None or artifact.digest is None:
        return
    if Asset.select().where(Asset.id == artifact.subject, Asset.digest == artifact.digest).exists():
        find_upload(config, artifact.subject, artifact.digest)
