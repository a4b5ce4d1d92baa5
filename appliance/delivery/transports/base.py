"""The protocol that every transport implements, so that couriers and repairs do not depend on rsync.

A transport brings changes of the docroot to one target and tells what the target shows. rsync, over ssh or to a local
folder, is the first implementation (`rsync.py`). To add another one, such as SFTP through the same ssh connection,
write a class with these methods in a module beside this one, and choose it in `factory.py` by the target's settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from appliance.delivery.journal import PublishedChange
from appliance.delivery.targets import Target
from appliance.errors import DeliveryError

#: Returns the reason why the transport must not start or must stop writing, or None while it may write. A transport
#: calls it before it writes and several times a second meanwhile. It stops at once and raises the error it was given.
Permit = Callable[[], DeliveryError | None]


def always_permitted() -> DeliveryError | None:
    """The permit of callers that nothing can interrupt."""
    return None


#: What a target has at the path of a change, compared by content with what the docroot has there: the `same`, which for
#: a deletion is nothing; something `different`; nothing where there should be a file, `absent`; or what `delivery.keep`
#: protects, so that it is never sent, `kept`. It is `unknown` if the docroot itself does not show the change, and for a
#: deletion on a publishing host, which makes those by itself.
Found = Literal["same", "different", "absent", "kept", "unknown"]


@dataclass(frozen=True, slots=True)
class PushResult:
    """What one push did."""

    #: Files whose bytes were sent, and the number of bytes on the wire.
    files: int = 0
    bytes: int = 0
    #: Files and emptied folders removed.
    deleted: int = 0
    seconds: float = 0.0
    #: Paths that the docroot no longer has. Their deletion follows in the journal.
    vanished: tuple[str, ...] = ()
    #: Paths that were not sent because `delivery.keep` matches them.
    kept: tuple[str, ...] = ()


class Transport(Protocol):
    """Writes to one target, one operation at a time.

    Every operation opens the connection if there is none, and raises DeliveryError with a sentence that says what is
    wrong and what to do. Only `push`, `clear` and `sweep` change the target. `stop` may be called from another thread.
    """

    @property
    def target(self) -> Target:
        """The target that this transport writes to."""

    def warm(self) -> None:
        """Check that the local docroot exists, and open the connection, so that the next push need not wait for it.

        Raises:
            DeliveryError: the docroot or the target cannot be reached.
        """

    def push(self, changes: Sequence[PublishedChange], *, older: bool = False) -> PushResult:
        """Make the target show what the docroot has at the paths of `changes`.

        New and changed files appear together and complete. Files are removed after that. A file that is newer on the
        target stays, unless `older` is set.

        Raises:
            TargetBusy: another process writes to the target.
            PartialTransfer: some files did not arrive, all others did.
            DeliveryError: the push failed; some changes may have arrived.
        """

    def differing(self, changes: Sequence[PublishedChange], *, newer: bool = False) -> list[PublishedChange]:
        """Return the changes that the target does not show as the docroot does, compared by content.

        A change that the docroot itself no longer shows is left out. So is a file that is newer on the target, unless
        `newer` is set.

        Raises:
            DeliveryError: the target could not be compared.
        """

    def look(self, change: PublishedChange) -> Found:
        """Return what the target has at the path of one change.

        Raises:
            DeliveryError: the target could not be compared.
        """

    def extras(self, keep: Sequence[str]) -> list[str]:
        """Return the paths that the target has and the docroot does not. The names of folders end with a slash.

        Args:
            keep: patterns of paths to leave out, in the syntax of `delivery.keep`.

        Raises:
            DeliveryError: the target could not be listed.
        """

    def clear(self, extras: Sequence[str]) -> int:
        """Remove paths that `extras` returned, if the docroot still lacks them. Returns how many were removed.

        Raises:
            DeliveryError: some could not be removed.
        """

    def sweep(self, paths: Sequence[str]) -> int:
        """Remove the temporary files that an interrupted push of `paths` left. Returns how many were removed.

        Raises:
            DeliveryError: some could not be removed.
        """

    def leftovers(self, extras: Sequence[str]) -> dict[str, list[str]]:
        """Return those of `extras` that look like temporary files of this transport, by name alone.

        Each comes with the paths for which an interrupted push may have created it. A folder for temporary files comes
        with none; it may go once it is empty.
        """

    def stop(self) -> None:
        """End the operation that is running, which raises DeliveryError, and refuse all later ones."""

    def close(self) -> None:
        """Close the connection. The next operation opens another one."""
