"""The intake's server: a line in, a line out, and every request within its limits.

Guarantees that no request ends the server: what is malformed, too much, or fails is answered with an ErrorAnswer, and
an outage of the database with one that says so.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pydantic import ValidationError

from appliance import clock, db, logging
from appliance.config import Config
from appliance.intake.connections import SHORTAGES, Connections, refuse
from appliance.intake.forms import Forms
from appliance.intake.limits import Limits
from appliance.intake.messages import (
    REFUSED,
    REQUEST,
    Answer,
    CommentRequest,
    DeleteRequest,
    ErrorAnswer,
    FormRequest,
    NoticeRequest,
    PreviewRequest,
    ProcessReport,
    ReadyAnswer,
    Request,
    SearchRequest,
    SiteRequest,
    StatusRequest,
)
from appliance.intake.notices import answer_notice
from appliance.intake.pages import Missing, describe_site, find_site
from appliance.intake.pool import Busy, Pool
from appliance.intake.posting import Posting
from appliance.intake.rates import Rates
from appliance.intake.receipts import Receipts
from appliance.intake.saver import Saver
from appliance.intake.searching import search
from appliance.intake.socket_file import ListeningSocket, peer_of
from appliance.intake.visibility import Watcher
from appliance.intake.web_processes import WebProcesses
from appliance.signing import load_signer

log = logging.get_logger("intake")

#: Connections at a time, each with a thread.
_CONNECTIONS: Final = 256
#: Threads that ask the database, those that change it, and those that search. Each holds a connection to it.
_LOOKUPS, _CHANGES, _SEARCHES = 4, 1, 2
#: Seconds that such a thread may be waited for. All stages of a request together take less than its client waits.
_PATIENCE: Final = 2.5
#: Seconds until a connection is accepted for which no file could be opened.
_PAUSE: Final = 0.2
#: Seconds that ending may take, all in all: a supervisor kills what takes longer than 4.3.
_STOP: Final = 3.0

_BUSY: Final = ErrorAnswer(reason="busy", sentence="", retry_after=2)
_UNAVAILABLE: Final = ErrorAnswer(reason="unavailable", sentence="", retry_after=10)
_MISSING: Final = ErrorAnswer(reason="missing", sentence="")
_INVALID: Final = ErrorAnswer(reason="invalid", sentence="")


class Intake:
    """Answers requests of the web process on a listening socket."""

    def __init__(
        self, config: Config, listening: ListeningSocket, is_paused: Callable[[], bool], supervisor: str = ""
    ) -> None:
        self._config = config
        self._socket = listening
        self._is_paused = is_paused
        rates, signer = Rates(), load_signer()
        self._signer = signer
        self._limits = Limits(config, rates)
        self._lookups = Pool("lookup", _LOOKUPS, _CONNECTIONS, _PATIENCE)
        self._changes = Pool("change", _CHANGES, 32, 2 * _PATIENCE)
        self._previews = Pool("preview", 1, 8, _PATIENCE)
        self._searches = Pool("search", _SEARCHES, 16, _PATIENCE)
        self._saver = Saver(config)
        self._watcher = Watcher(config)
        self._forms = Forms(config, signer)
        self._posting = Posting(
            config, signer, self._forms, self._lookups, self._previews, self._saver, self._watcher, rates
        )
        self._receipts = Receipts(config, signer, self._lookups, self._watcher)
        self._web_processes = WebProcesses(config.host_name, supervisor)
        #: Whether no more files could be opened when it was tried last.
        self._is_short = False
        self._connections = Connections(self._answer_line, _CONNECTIONS)

    def accept(self, seconds: float) -> None:
        """Serve new connections that come within `seconds`."""
        if not select.select([self._socket.listening], [], [], seconds)[0]:
            return
        try:
            peer, _ = self._socket.listening.accept()
        except OSError as error:
            if error.errno in SHORTAGES:
                self._wait_for_room(error)
            return  # otherwise it went away
        self._is_short = False
        if self._socket.allows(peer):
            self._connections.add(peer)
        else:
            log.warning("an account that may not use the intake was refused; see web.intake_user")
            refuse(peer, REFUSED)

    def _wait_for_room(self, error: OSError) -> None:
        """Let an idle connection make room. The new one waits meanwhile, and select() would return at once."""
        self._connections.dismiss_idle()
        clock.sleep(_PAUSE)
        if not self._is_short:
            with suppress(OSError):  # the first line of a log opens files, too
                log.warning("connections wait since no more files can be opened; raise LimitNOFILE", error=str(error))
                self._is_short = True

    def close(self) -> None:
        """Answer the requests in hand, and stop listening. What takes longer than a few seconds is given up."""
        deadline = clock.monotonic() + _STOP
        self._socket.listening.shutdown(socket.SHUT_RDWR)
        self._watcher.release()
        self._connections.stop(deadline)
        self._saver.close(deadline)
        for pool in (self._lookups, self._changes, self._previews, self._searches):
            pool.close(deadline)
        self._watcher.close(deadline)
        self._socket.close()

    def _answer_line(self, line: bytes, peer: socket.socket) -> bytes:
        try:
            request = REQUEST.validate_json(line)
        except ValidationError:
            answer: Answer = _INVALID
        else:
            answer = self._answer_safely(request, peer)
        return answer.model_dump_json().encode()

    def _answer_safely(self, request: Request, peer: socket.socket) -> Answer:
        try:
            return self._limits.refuse(request) or self._answer(request, peer)
        except Missing:
            return _MISSING
        except Busy:
            return _BUSY
        except Exception as error:
            if not db.is_unavailable(error):
                log.exception("a request failed", op=request.op)
            return _UNAVAILABLE

    def _answer(self, request: Request, peer: socket.socket) -> Answer:
        match request:
            case CommentRequest():
                return _BUSY if self._is_paused() else self._posting.comment(request)
            case StatusRequest():
                return self._receipts.status(request)
            case PreviewRequest():
                return self._previews.call(lambda: self._forms.preview(request))
            case FormRequest():
                return self._lookups.call(lambda: self._forms.form(request))
            case DeleteRequest():
                return self._changes.call(lambda: self._receipts.delete(request))
            case NoticeRequest():
                return self._changes.call(lambda: self._notice(request))
            case SearchRequest():
                return self._searches.call(lambda: search(self._config, request))
            case SiteRequest():
                return self._lookups.call(lambda: describe_site(find_site(self._config, request.site)))
            case ProcessReport():
                return self._changes.call(lambda: self._web_processes.note(request, peer_of(peer)[0]))
            case _:
                self._lookups.call(db.now)
                return ReadyAnswer()

    def _notice(self, request: NoticeRequest) -> Answer:
        site = find_site(self._config, request.site)
        return answer_notice(self._signer, site, describe_site(site), request)
