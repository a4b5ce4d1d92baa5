"""Import of the files of a folder that are not texts, each with an address near the text it belongs to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from appliance import db
from appliance.config import Config
from appliance.content import assets
from appliance.content.assets import StoredFile
from appliance.content.models import Asset
from appliance.errors import ContentError, UnpublishedSource
from appliance.importing import ACTOR, BATCH_SIZE
from appliance.importing.markdown import frontmatter
from appliance.importing.markdown.exclusions import UNREAD_FORMATS, secret_reason
from appliance.importing.markdown.layout import HTML_ENDINGS, TEXT_ENDINGS
from appliance.importing.markdown.scan import Scan
from appliance.importing.markdown.text_files import TextFile
from appliance.importing.report import Outcome
from appliance.importing.short_slices import ShortSlices

#: Endings of index files, in formats that are not read, that make a bundle of their folder.
_BUNDLES = {"hugo": (*UNREAD_FORMATS, *HTML_ENDINGS), "zola": tuple(UNREAD_FORMATS), "folder": tuple(UNREAD_FORMATS)}
#: Endings of data files, which may begin with a fence of their own.
_YAML = frozenset({".yaml", ".yml"})
#: The status of an HTML file of Pelican.
_META_STATUS = re.compile(rb"<meta\s{1,9}name=.?status.?\s{1,9}content=[\"']?(draft|hidden)\b", re.IGNORECASE)
#: Bytes at the beginning of a file in which front matter and secrets are looked for.
_BEGINNING = 4096


@dataclass(frozen=True, slots=True)
class _Change:
    """A new or changed file, with its bytes stored."""

    #: Its path in the folder.
    path: str
    #: Its path below the site.
    asset_path: str
    #: The id of the entry it belongs to.
    owner: int | None
    stored: StoredFile
    outcome: Outcome


class AssetFiles:
    """The assets of a scanned folder."""

    def __init__(self, config: Config, scan: Scan) -> None:
        self.config = config
        self.scan = scan
        #: Paths of known assets with a file that is gone, by digest.
        self._gone: dict[str, list[str]] = {}
        self._slices = ShortSlices(BATCH_SIZE)

    def save(self) -> None:
        """Save new and changed files, and let references find every file."""
        present = set(self.scan.files.assets)
        for path, asset in sorted(self.scan.existing.assets.items(), reverse=True):
            if path not in present:
                self._gone.setdefault(asset.digest, []).append(path)
        self._exclude_unpublished()
        pending: list[_Change] = []
        for path in sorted(self.scan.files.assets):
            try:
                change = self._compare(path)
            except UnpublishedSource as error:
                self.scan.exclude(path, str(error))
                continue
            except ContentError as error:
                self.scan.skip(path, str(error))
                continue
            pending += [change] if change else []
            if len(pending) >= BATCH_SIZE:
                self._write(pending)
                pending = []
        self._write(pending)

    def _exclude_unpublished(self) -> None:
        """Exclude files that are kept back before any file is saved, since others may belong to them."""
        if self.scan.layout.is_native:
            return
        kept = []
        for path in self.scan.files.assets:
            try:
                _refuse_unpublished(self.scan.root / path)
            except UnpublishedSource as error:
                self.scan.exclude(path, str(error))
            else:
                kept.append(path)
        self.scan.files.assets = kept

    def _compare(self, path: str) -> _Change | None:
        file = self.scan.root / path
        if not self.scan.layout.is_native:
            self._refuse_orphan(path)
        owner = self._owner(path)
        asset_path = assets.clean_path(self._asset_path(path, owner))
        owner_id = owner[0].id if owner else None
        digest = _digest(file)
        asset = self.scan.existing.assets.get(path)
        is_same = asset and (asset.digest, asset.path, asset.entry_id) == (digest, asset_path, owner_id)
        if asset and is_same and assets.stored_path(self.config, digest).exists():
            self._index(path, asset)
            self.scan.report.assets["unchanged"] += 1
            return None
        outcome: Outcome = "added" if asset is None else "changed"
        if asset is None and self._gone.get(digest):
            self._rename(self._gone[digest].pop(), path)
            outcome = "renamed"
        return _Change(path, asset_path, owner_id, assets.store_file(self.config, file, path), outcome)

    def _write(self, changes: list[_Change]) -> None:
        for some in self._slices.of(changes):
            with db.write():
                self._write_some(some)

    def _write_some(self, changes: Sequence[_Change]) -> None:
        for change in changes:
            try:
                asset, _ = assets.save(
                    self.scan.site,
                    change.stored,
                    change.asset_path,
                    entry=change.owner,
                    source=self.scan.source,
                    source_path=change.path,
                    actor=ACTOR,
                )
            except ContentError as error:
                self.scan.skip(change.path, str(error))
                continue
            self._index(change.path, asset)
            self.scan.report.assets[change.outcome] += 1
            if change.stored.note:
                self.scan.report.notes.append(f"{change.path}: {change.stored.note}")

    def _index(self, path: str, asset: Asset) -> None:
        self.scan.index.assets[path] = asset.id
        self.scan.index.addresses.setdefault(asset.path, f"appliance:asset/{asset.id}")

    def _rename(self, former_path: str, path: str) -> None:
        asset = self.scan.existing.assets.pop(former_path)
        with db.write():
            Asset.update(source_path=path).where(Asset.id == asset.id).execute()

    def _refuse_orphan(self, path: str) -> None:
        """Refuse a file that belongs to a text that was not imported.

        Raises:
            UnpublishedSource: the author of the text keeps it back.
            ContentError: the text cannot be read.
        """
        if self.scan.layout.is_project and any(path.startswith(f"{one}/") for one in self.scan.layout.static if one):
            return
        for folder in PurePosixPath(path).parents:
            for candidate in self._texts_of(folder):
                if candidate in self.scan.texts:
                    return
                if candidate in self.scan.refused:
                    refused = UnpublishedSource if self.scan.refused[candidate] else ContentError
                    raise refused(f"belongs to {candidate}, which was not imported")

    def _texts_of(self, folder: PurePosixPath) -> list[str]:
        """Paths that the text may have to which the files of a folder belong."""
        beside = [f"{folder}{ending}" for ending in (*TEXT_ENDINGS, *UNREAD_FORMATS)]
        bundles = [f"{folder}/index{ending}" for ending in _BUNDLES.get(self.scan.layout.system, ())]
        is_bundle = bool(self.scan.layout.segments(f"{folder}/index"))
        return [self.scan.files.bundles.get(str(folder), ""), *beside, *(bundles if is_bundle else [])]

    def _owner(self, path: str) -> tuple[TextFile, str] | None:
        """The text that a file belongs to, and the path of the file from there."""
        pure = PurePosixPath(path)
        if self.scan.layout.is_native:
            text = self.scan.texts.get(self.scan.files.manifest.owners.get(self.scan.layout.asset_path(path), ""))
            return (text, path) if text else None
        for folder in pure.parents:
            candidates = [
                self.scan.files.bundles.get(str(folder), ""),
                *(f"{folder}{ending}" for ending in TEXT_ENDINGS),
            ]
            for candidate in candidates:
                if (text := self.scan.texts.get(candidate)) is not None:
                    return text, str(pure.relative_to(folder))
        return None

    def _asset_path(self, path: str, owner: tuple[TextFile, str] | None) -> str:
        is_placed = self.scan.layout.is_native
        if (
            not is_placed
            and owner is not None
            and owner[0].address
            and not owner[0].address.endswith((".html", ".htm"))
        ):
            return f"{owner[0].address}/{owner[1]}"
        return self.scan.layout.asset_path(path)


def _refuse_unpublished(file: Path) -> None:
    """Refuse a file that no system publishes as it is.

    Raises:
        UnpublishedSource: it begins with front matter, or has a secret in it.
    """
    try:
        with file.open("rb") as stream:
            beginning = stream.read(_BEGINNING)
    except OSError:
        return  # reported when it is stored
    if secret := secret_reason(beginning):
        raise UnpublishedSource(secret)
    is_html = file.suffix.lower() in HTML_ENDINGS
    if file.suffix.lower() not in _YAML and frontmatter.begins_with(beginning, braces=is_html):
        raise UnpublishedSource("begins with front matter, so it is a template or a text of the other system")
    if is_html and (status := _META_STATUS.search(beginning)):
        raise UnpublishedSource(f"has the status {status[1].decode()}")


def _digest(file: Path) -> str:
    try:
        return assets.file_digest(file)
    except OSError as error:
        raise ContentError(f"cannot be read: {error.strerror}; mend that and import again") from error
