"""Import of uploads, attachments and the other sizes of pictures, from a copy of `wp-content/uploads`.

An export names its attachments and has none of their bytes. A file that is found keeps its address, and texts refer to
it by id. A file that is not found is left out, and links to it stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from appliance import db
from appliance.config import Config
from appliance.content import assets
from appliance.content.assets import StoredFile
from appliance.content.models import Asset
from appliance.errors import ContentError
from appliance.importing import ACTOR, BATCH_SIZE
from appliance.importing.existing_entries import assets_of_source
from appliance.importing.report import Outcome
from appliance.importing.wordpress.export_contents import Attachment, ExportContents
from appliance.importing.wordpress.links import OldAddress, parse_address

_UNCHANGED: Outcome = "unchanged"
_BELOW_UPLOADS = re.compile(r"/(?:wp-content/uploads|files)/(?:sites/\d+/)?(.+)\Z", re.DOTALL)
_DATED = re.compile(r"/(\d{4}/\d{2}/[^/]+)$")


class _Upload(NamedTuple):
    """A file that was found."""

    source_path: str
    #: Its path below the site.
    path: str
    file: Path
    #: The key of its old address.
    key: str
    #: None for a file that only texts name: another size of a picture.
    attachment: Attachment | None


class Uploads:
    """The uploads of an export. `folder` is the copy of `wp-content/uploads`, or None when there is none."""

    def __init__(self, config: Config, contents: ExportContents, source: str, folder: Path | None) -> None:
        self.config = config
        self.contents = contents
        self.source = source
        self.folder = folder
        #: Imported files that are not attachments: other sizes of pictures.
        self.other_files = 0
        #: Paths below the site by number of attachment.
        self.asset_paths: dict[int, str] = {}
        #: Files by the keys of the addresses that texts have for them.
        self._files_by_key: dict[str, Path] = {}
        self.existing = assets_of_source(contents.site, source)
        #: Assets of earlier imports by path below the uploads.
        self._imported = {path: asset for asset in self.existing.values() for path in _paths(f"/{asset.path}")}

    def find(self, address: OldAddress) -> str | None:
        """The path below the uploads of the file at an address; None when there is no such file."""
        hosts = self.contents.index.hosts
        file_hosts = {host.removesuffix(".wordpress.com") + ".files.wordpress.com" for host in hosts}
        if address.host not in hosts | file_hosts:
            return None
        return next((path for path in _paths(address.path) if path in self._imported or self._at(path)), None)

    def save(self) -> None:
        """Import new and changed files, and let links find every file."""
        linked = {upload.file: upload for upload in self._linked_uploads()}
        attached = list(self._attachments())
        first = {**linked, **{upload.file: upload for upload in reversed(attached)}}
        uploads = attached + [upload for upload in linked.values() if first[upload.file] is upload]
        for start in range(0, len(uploads), BATCH_SIZE):
            self._save_batch(uploads[start : start + BATCH_SIZE])
        addresses = self.contents.index.by_address
        for key, file in self._files_by_key.items():  # texts have several addresses for one file
            if file in first and first[file].key in addresses:
                addresses.setdefault(key, addresses[first[file].key])

    def missing(self) -> list[Asset]:
        """Assets of attachments that the export no longer has."""
        here = {f"attachment/{number}" for number in self.contents.present}
        return [asset for path, asset in self.existing.items() if path.startswith("attachment/") and path not in here]

    def _attachments(self) -> Iterator[_Upload]:
        for _, attachment in sorted(self.contents.attachments.items()):
            address = parse_address(attachment.url, self.contents.address)
            candidates = [attachment.upload_path, *(_paths(address.path) if address else ())]
            file = next((file for path in candidates if path and (file := self._at(path))), None)
            if address is not None and file is not None:
                yield _Upload(attachment.path, self._asset_path(address), file, address.key, attachment)
            elif (asset := self.existing.get(attachment.path)) is not None:
                self._index(asset, address.key if address else "", attachment)
                self._count(attachment, "unchanged")
            else:
                self._leave_out(attachment)

    def _linked_uploads(self) -> Iterator[_Upload]:
        for key, path in sorted(self.contents.linked_uploads.items()):
            if key in self.contents.index.by_address:
                continue
            host, slash, rest = key.partition("/")
            if (file := self._at(path)) is not None:
                self._files_by_key[key] = file
                yield _Upload(f"uploads/{path}", self._asset_path(OldAddress(host, slash + rest)), file, key, None)
            elif (asset := self._imported.get(path)) is not None:
                self.contents.index.by_address[key] = f"appliance:asset/{asset.id}"

    def _save_batch(self, batch: list[_Upload]) -> None:
        stored = [(upload, self._store(upload)) for upload in batch]
        with db.write():
            for upload, file in stored:
                try:
                    if isinstance(file, str):
                        raise ContentError(file)  # noqa: TRY301 - reported like a file that cannot be saved
                    self._save(upload, file)
                except ContentError as error:
                    self._refuse(upload, str(error))

    def _save(self, upload: _Upload, file: StoredFile | None) -> None:
        asset, outcome = self.existing.get(upload.source_path), _UNCHANGED
        if file is not None:
            outcome = "added" if asset is None else "changed"
            asset, _ = assets.save(
                self.contents.site, file, upload.path, source=self.source, source_path=upload.source_path, actor=ACTOR
            )
        assert asset is not None  # noqa: S101 - an unchanged file has one
        self._index(asset, upload.key, upload.attachment)
        self._count(upload.attachment, outcome)

    def _store(self, upload: _Upload) -> StoredFile | str | None:
        """Store the bytes; None when they are as before. A sentence says why they cannot be stored."""
        asset = self.existing.get(upload.source_path)
        try:
            path = assets.clean_path(upload.path)
            digest = assets.file_digest(upload.file)
            is_same = asset is not None and (asset.digest, asset.path) == (digest, path)
            if is_same and assets.stored_path(self.config, digest).exists():
                return None
            return assets.store_file(self.config, upload.file, path)
        except OSError as error:
            return f"cannot be read: {error.strerror}; mend that and import again"
        except ContentError as error:
            return str(error)

    def _index(self, asset: Asset, key: str, attachment: Attachment | None) -> None:
        reference, index = f"appliance:asset/{asset.id}", self.contents.index
        index.by_address[key] = reference
        if attachment is not None:
            index.by_number[attachment.number] = reference
            self.asset_paths[attachment.number] = asset.path
            if (page := parse_address(attachment.link)) is not None and not page.query:
                index.by_address.setdefault(page.key, reference)

    def _leave_out(self, attachment: Attachment) -> None:
        if self.folder is None:
            reason = "its bytes are not in the export; name a copy of wp-content/uploads with --uploads to import it"
        else:
            reason = f"is not in {self.folder}; copy it there and import again"
        self.contents.skip(attachment.label, attachment.kinds, reason)
        self._index_as_parent(attachment)

    def _index_as_parent(self, attachment: Attachment) -> None:
        """Let links to the page of a file that is left out lead to the text that it was uploaded for."""
        index = self.contents.index
        parent = index.by_number.get(attachment.parent)
        if parent is not None:
            index.by_number.setdefault(attachment.number, parent)
            if (page := parse_address(attachment.link)) is not None and not page.query:
                index.by_address.setdefault(page.key, parent)

    def _refuse(self, upload: _Upload, reason: str) -> None:
        if upload.attachment is not None:
            self.contents.skip(upload.attachment.label, upload.attachment.kinds, reason)
            self._index_as_parent(upload.attachment)
        else:
            self.contents.report.notes.append(f"{upload.source_path}: {reason}")

    def _count(self, attachment: Attachment | None, outcome: Outcome) -> None:
        if attachment is None:
            self.other_files += outcome != "unchanged"
            return
        self.contents.report.assets[outcome] += 1
        self.contents.report.kinds[*attachment.kinds, outcome] += 1

    def _at(self, path: str) -> Path | None:
        """The file at a path below the uploads; None when there is none, or it leaves the folder."""
        if self.folder is None:
            return None
        file = self.folder / path
        try:
            inside = file.resolve(strict=True).is_relative_to(self.folder.resolve())
            return file if inside and file.is_file() else None
        except (OSError, RuntimeError, ValueError):
            return None

    def _asset_path(self, address: OldAddress) -> str:
        index = self.contents.index
        path = address.path[len(index.root) :] if index.is_own(address) else address.path
        return path.strip("/")


def _paths(path: str) -> list[str]:
    """The paths below the uploads at which the file of an address may be."""
    found = [match[1] for pattern in (_BELOW_UPLOADS, _DATED) if (match := pattern.search(path))]
    return [one for one in dict.fromkeys(found) if ".." not in one.split("/")]
