"""Uploads: attachments and the other sizes of pictures, found in a copy of `wp-content/uploads`.

An export names its attachments and holds none of their bytes. Whatever is found is published at the address it had,
and texts refer to it by id; the rest is not taken, and links to it stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from appliance import db
from appliance.config import Config
from appliance.content import assets
from appliance.content.assets import Kept
from appliance.content.models import Asset
from appliance.errors import ContentError
from appliance.importing.report import Outcome
from appliance.importing.wordpress.blog import Attachment, Blog
from appliance.importing.wordpress.links import Place, place_of

#: Rows written in one transaction.
_BATCH = 200
_UNCHANGED: Outcome = "unchanged"
_BELOW = re.compile(r"/(?:wp-content/uploads|files)/(?:sites/\d+/)?(.+)$")
_DATED = re.compile(r"/(\d{4}/\d{2}/[^/]+)$")


class _Found(NamedTuple):
    """A file that is to be kept; `label` is empty for one that is no attachment."""

    source_path: str
    address: str
    file: Path
    key: str
    attachment: Attachment | None


class Uploads:
    """The uploads of a blog. `folder` is None when there is no copy of them."""

    def __init__(self, config: Config, blog: Blog, source: str, folder: Path | None) -> None:
        self.config = config
        self.blog = blog
        self.source = source
        self.folder = folder
        #: Files taken that are no attachments: other sizes of pictures.
        self.others = 0
        #: Addresses below the site by number of attachment.
        self.addresses: dict[int, str] = {}
        #: Files by every address that texts have for them.
        self._also: dict[str, Path] = {}
        rows: Any = Asset.select().where(Asset.site == blog.site, Asset.source == source)
        self.known: dict[str, Asset] = {row.source_path: row for row in rows}
        #: What was taken before, by path below the uploads.
        self._stored = {path: asset for asset in self.known.values() for path in _paths(f"/{asset.path}")}

    def has_file(self, place: Place) -> str | None:
        """The path below the uploads of the file at an address that a text mentions."""
        hosts = self.blog.index.hosts
        elsewhere = {host.removesuffix(".wordpress.com") + ".files.wordpress.com" for host in hosts}
        if place.host not in hosts | elsewhere:
            return None
        return next((path for path in _paths(place.path) if path in self._stored or self._at(path)), None)

    def save(self) -> None:
        """Keep what is new or differs, and let links find all of it."""
        found = {one.file: one for one in self._mentioned()}
        attached = list(self._attachments())
        first = {**found, **{one.file: one for one in reversed(attached)}}
        once = attached + [one for one in found.values() if first[one.file] is one]
        for start in range(0, len(once), _BATCH):
            self._save(once[start : start + _BATCH])
        addresses = self.blog.index.by_address
        for key, file in self._also.items():  # one file, written with several addresses
            if file in first and first[file].key in addresses:
                addresses.setdefault(key, addresses[first[file].key])

    def gone(self) -> list[Asset]:
        """Assets of attachments that the file no longer has."""
        here = {f"attachment/{number}" for number in self.blog.present}
        return [asset for path, asset in self.known.items() if path.startswith("attachment/") and path not in here]

    def _attachments(self) -> Iterator[_Found]:
        for _, attachment in sorted(self.blog.attachments.items()):
            place = place_of(attachment.url, self.blog.address)
            candidates = [attachment.stored, *(_paths(place.path) if place else ())]
            file = next((file for path in candidates if path and (file := self._at(path))), None)
            if place is not None and file is not None:
                yield _Found(attachment.path, self._address(place), file, place.key, attachment)
            elif (asset := self.known.get(attachment.path)) is not None:
                self._point(asset, place.key if place else "", attachment)
                self._count(attachment, "unchanged")
            else:
                self._leave_out(attachment)

    def _mentioned(self) -> Iterator[_Found]:
        for key, path in sorted(self.blog.mentioned.items()):
            if key in self.blog.index.by_address:
                continue
            host, slash, rest = key.partition("/")
            if (file := self._at(path)) is not None:
                self._also[key] = file
                yield _Found(f"uploads/{path}", self._address(Place(host, slash + rest)), file, key, None)
            elif (asset := self._stored.get(path)) is not None:
                self.blog.index.by_address[key] = f"appliance:asset/{asset.id}"

    def _save(self, batch: list[_Found]) -> None:
        kept = [(one, self._look_at(one)) for one in batch]
        with db.write():
            for one, new in kept:
                asset, outcome = self.known.get(one.source_path), _UNCHANGED
                try:
                    if isinstance(new, str):
                        raise ContentError(new)  # noqa: TRY301 - said as whatever saving refuses
                    if new is not None:
                        outcome = "added" if asset is None else "changed"
                        asset, _ = assets.save(
                            self.blog.site, new, one.address, source=self.source, source_path=one.source_path,
                            actor="import",
                        )  # fmt: skip
                except ContentError as error:
                    self._refuse(one, str(error))
                    continue
                assert asset is not None  # noqa: S101 - without new bytes it was there
                self._point(asset, one.key, one.attachment)
                self._count(one.attachment, outcome)

    def _look_at(self, one: _Found) -> Kept | str | None:
        """The bytes, kept; None when they are the same as before; or why they cannot be."""
        asset = self.known.get(one.source_path)
        try:
            address = assets.clean_path(one.address)
            digest = assets.digest_of(one.file)
            is_same = asset is not None and (asset.digest, asset.path) == (digest, address)
            if is_same and assets.kept_file(self.config, digest).exists():
                return None
            return assets.keep(self.config, one.file, address)
        except OSError as error:
            return f"cannot be read: {error.strerror}; mend that and import again"
        except ContentError as error:
            return str(error)

    def _point(self, asset: Asset, key: str, attachment: Attachment | None) -> None:
        reference, index = f"appliance:asset/{asset.id}", self.blog.index
        index.by_address[key] = reference
        if attachment is not None:
            index.by_number[attachment.number] = reference
            self.addresses[attachment.number] = asset.path
            if (page := place_of(attachment.link)) is not None and not page.query:
                index.by_address.setdefault(page.key, reference)

    def _leave_out(self, attachment: Attachment) -> None:
        if self.folder is None:
            reason = "its bytes are not in the export; name a copy of wp-content/uploads with --uploads to take it"
        else:
            reason = f"is not in {self.folder}; copy it there and import again"
        self.blog.skip(attachment.label, attachment.kind, reason)
        self._point_to_parent(attachment)

    def _point_to_parent(self, attachment: Attachment) -> None:
        """The page about a file shows little else; what it was uploaded for comes next."""
        index = self.blog.index
        parent = index.by_number.get(attachment.parent)
        if parent is not None:
            index.by_number.setdefault(attachment.number, parent)
            if (page := place_of(attachment.link)) is not None and not page.query:
                index.by_address.setdefault(page.key, parent)

    def _refuse(self, one: _Found, reason: str) -> None:
        if one.attachment is not None:
            self.blog.skip(one.attachment.label, one.attachment.kind, reason)
            self._point_to_parent(one.attachment)
        else:
            self.blog.report.notes.append(f"{one.source_path}: {reason}")

    def _count(self, attachment: Attachment | None, outcome: Outcome) -> None:
        if attachment is None:
            self.others += outcome != "unchanged"
            return
        self.blog.report.assets[outcome] += 1
        self.blog.report.kinds[*attachment.kind, outcome] += 1

    def _at(self, path: str) -> Path | None:
        """The file at a path below the uploads, if it is one and truly there."""
        if self.folder is None:
            return None
        file = self.folder / path
        try:
            inside = file.resolve(strict=True).is_relative_to(self.folder.resolve())
            return file if inside and file.is_file() else None
        except (OSError, RuntimeError, ValueError):
            return None

    def _address(self, place: Place) -> str:
        index = self.blog.index
        path = place.path[len(index.root) :] if index.is_own(place) else place.path
        return path.strip("/")


def _paths(path: str) -> list[str]:
    """Where below the uploads the file at an address may be."""
    found = [match[1] for pattern in (_BELOW, _DATED) if (match := pattern.search(path))]
    return [one for one in dict.fromkeys(found) if ".." not in one.split("/")]
