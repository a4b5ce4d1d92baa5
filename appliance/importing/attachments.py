"""The files of a folder that are no texts: kept by content, with an address near the text they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from appliance import db
from appliance.config import Config
from appliance.content import assets
from appliance.content.assets import Kept
from appliance.content.models import Asset
from appliance.errors import ContentError
from appliance.importing.layout import TEXTS
from appliance.importing.report import Outcome
from appliance.importing.scan import Scan, Text

#: Rows written in one transaction.
_BATCH = 200
#: Text files that another system would fill in if they begin with front matter.
_TEMPLATES = frozenset({".html", ".htm", ".xml", ".txt", ".css", ".js", ".json", ".scss", ".webmanifest"})


@dataclass(frozen=True, slots=True)
class _Change:
    path: str
    address: str
    owner: int | None
    kept: Kept
    outcome: Outcome


class Attachments:
    """The assets of a scanned folder."""

    def __init__(self, config: Config, scan: Scan) -> None:
        self.config = config
        self.scan = scan
        self._gone: dict[str, list[str]] = {}

    def save(self) -> None:
        """Keep what is new or differs, and let references find all of them."""
        present = set(self.scan.assets)
        for path, asset in sorted(self.scan.known_assets.items(), reverse=True):
            if path not in present:
                self._gone.setdefault(asset.digest, []).append(path)
        pending: list[_Change] = []
        for path in sorted(self.scan.assets):
            try:
                change = self._look_at(path)
            except ContentError as error:
                self.scan.skip(path, str(error))
                continue
            pending += [change] if change else []
            if len(pending) >= _BATCH:
                self._write(pending)
                pending = []
        self._write(pending)

    def _look_at(self, path: str) -> _Change | None:
        file = self.scan.root / path
        if not self.scan.layout.is_own and _is_template(file):
            raise ContentError("begins with front matter: it is a template of the other system")
        owner = self._owner(path)
        address = assets.clean_path(self._address(path, owner))
        owner_id = owner[0].id if owner else None
        digest = _digest(file)
        asset = self.scan.known_assets.get(path)
        is_same = asset and (asset.digest, asset.path, asset.entry_id) == (digest, address, owner_id)
        if asset and is_same and assets.kept_file(self.config, digest).exists():
            self._found(path, asset)
            self.scan.report.assets["unchanged"] += 1
            return None
        outcome: Outcome = "added" if asset is None else "changed"
        if asset is None and self._gone.get(digest):
            self._move(self._gone[digest].pop(), path)
            outcome = "renamed"
        return _Change(path, address, owner_id, assets.keep(self.config, file, path), outcome)

    def _write(self, changes: list[_Change]) -> None:
        if not changes:
            return
        with db.write():
            for change in changes:
                try:
                    asset, _ = assets.save(
                        self.scan.site,
                        change.kept,
                        change.address,
                        entry=change.owner,
                        source=self.scan.source,
                        source_path=change.path,
                        actor="import",
                    )
                except ContentError as error:
                    self.scan.skip(change.path, str(error))
                    continue
                self._found(change.path, asset)
                self.scan.report.assets[change.outcome] += 1
                if change.kept.note:
                    self.scan.report.notes.append(f"{change.path}: {change.kept.note}")

    def _found(self, path: str, asset: Asset) -> None:
        self.scan.index.assets[path] = asset.id
        self.scan.index.addresses.setdefault(asset.path, f"appliance:asset/{asset.id}")

    def _move(self, earlier: str, path: str) -> None:
        asset = self.scan.known_assets.pop(earlier)
        with db.write():
            Asset.update(source_path=path).where(Asset.id == asset.id).execute()

    def _owner(self, path: str) -> tuple[Text, str] | None:
        """The text a file belongs to, and the file's path from there."""
        pure = PurePosixPath(path)
        if self.scan.layout.is_own:
            text = self.scan.texts.get(self.scan.noted.owners.get(self.scan.layout.asset_path(path), ""))
            return (text, path) if text else None
        for folder in pure.parents:
            candidates = [self.scan.bundles.get(str(folder), ""), *(f"{folder}{ending}" for ending in TEXTS)]
            for candidate in candidates:
                if (text := self.scan.texts.get(candidate)) is not None:
                    return text, str(pure.relative_to(folder))
        return None

    def _address(self, path: str, owner: tuple[Text, str] | None) -> str:
        is_placed = self.scan.layout.is_own
        if (
            not is_placed
            and owner is not None
            and owner[0].address
            and not owner[0].address.endswith((".html", ".htm"))
        ):
            return f"{owner[0].address}/{owner[1]}"
        return self.scan.layout.asset_path(path)


def _is_template(file: Path) -> bool:
    if file.suffix.lower() not in _TEMPLATES:
        return False
    try:
        with file.open("rb") as stream:
            return stream.readline(6) in (b"---\n", b"---\r\n")
    except OSError:
        return False


def _digest(file: Path) -> str:
    try:
        return assets.digest_of(file)
    except OSError as error:
        raise ContentError(f"cannot be read: {error.strerror}; mend that and import again") from error
