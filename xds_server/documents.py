"""The documents that a configuration names by URL: fetched, kept, and fetched again.

The last one of each is a file in the state directory, which is watched like any other file: a
document that has changed is a changed configuration. While a URL gives nothing, the last one is
used; at a start, where that cannot be used, the last one that was in force.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import msgspec

from gateway.config.discovery import no_metadata
from gateway.config.fetched import Form, Found, Wanted
from gateway.config.gathering import Content
from gateway.openapi.load import no_document
from xds_server.fetching import CannotBeFetched, Document, fetch

logger = logging.getLogger(__name__)

FOLDER = "documents"
"""In the state directory."""
_AGAIN_SECONDS = 5.0
"""After a failure; then twice as long each time, until it is as long as usual."""
_TICK_SECONDS = 0.5

Fetch: TypeAlias = Callable[[Wanted, Document | None], Awaitable[Document | None]]
"""None: it is what it was. Raises `CannotBeFetched`."""


def _no_openapi(text: str) -> str:
    wrong = no_document(text)
    return f"it is no OpenAPI document: {wrong}" if wrong else ""


_WRONG: Mapping[Form, Callable[[str], str]] = {
    Form.OPENAPI: _no_openapi,
    Form.DISCOVERY: no_metadata,
}
"""Why a text is no document at all; empty: it is one."""


class _Kept(msgspec.Struct):
    """A file of ours."""

    url: str
    fetched: str
    """UTC, ISO 8601; for people."""
    text: str
    etag: str = ""
    last_modified: str = ""


@dataclass(slots=True)
class _State:
    """What is known of one document."""

    kept: _Kept | None = None
    problem: str = ""
    """Why it could not be fetched the last time."""
    failures: int = 0
    due_at: float = 0.0
    is_asked: bool = False
    """Somebody is on the way."""
    was_asked: bool = False


@dataclass(frozen=True, slots=True)
class DocumentState:
    """For people."""

    url: str
    fetched: str
    """When; empty: never."""
    problem: str
    """Why it was not fetched the last time; empty: it was."""


class RemoteDocuments:
    """Asked in threads, by who loads; `keep` is owned by the control plane."""

    def __init__(
        self,
        state_dir: Path | None = None,
        fetch: Fetch = fetch,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`state_dir` None: nothing is kept."""
        self._folder = None if state_dir is None else state_dir / FOLDER
        self._fetch = fetch
        self._now = now
        self._states: dict[Wanted, _State] = {}
        self._lock = threading.Lock()

    def file(self, wanted: Wanted) -> Path | None:
        """With the same headers it is the same document."""
        if self._folder is None:
            return None
        digest = hashlib.blake2b(repr((wanted.url, wanted.headers)).encode(), digest_size=16)
        return self._folder / f"{digest.hexdigest()}.json"

    def read(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, Found]:
        """What was never asked for is fetched now, all at once."""
        with self._lock:
            known = {each: self._known(each) for each in wanted}
        new = [each for each in wanted if self._is_new(known[each])]
        if new:
            asyncio.run(self._all(new))
            with self._lock:
                known |= {each: self._known(each) for each in new}
        return {each: _found(state) for each, state in known.items()}

    def accept(self, digests: Mapping[str, str]) -> None:
        with self._lock:
            known = list(self._states.items())
        for wanted, state in known:
            file, kept = self._good_file(wanted), state.kept
            if file is None or kept is None or digests.get(wanted.url) != _digest(kept.text):
                continue
            good = self._stored(wanted, file)
            if good is None or good.text != kept.text:
                try:
                    _write(file, msgspec.json.encode(kept))
                except OSError as error:
                    logger.warning("'%s': it cannot be kept: %s", wanted.url, error.strerror)

    def fall_back(self) -> bool:
        is_other = False
        with self._lock:
            for wanted, state in self._states.items():
                good = self._stored(wanted, self._good_file(wanted))
                if good is not None and state.kept is not None and good.text != state.kept.text:
                    state.kept, state.problem = good, "what is there now cannot be used"
                    is_other = True
        return is_other

    async def keep(self, wanted: Callable[[], Iterable[Wanted]]) -> None:
        """Fetch these again whenever it is time to; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for each in self._due(frozenset(wanted())):
                    tasks.create_task(self._renew(each))
                await asyncio.sleep(_TICK_SECONDS)

    def states(self) -> tuple[DocumentState, ...]:
        """What is known of each."""
        with self._lock:
            return tuple(
                DocumentState(each.url, "" if one.kept is None else one.kept.fetched, one.problem)
                for each, one in self._states.items()
            )

    def _good_file(self, wanted: Wanted) -> Path | None:
        """That was in force last."""
        file = self.file(wanted)
        return None if file is None else file.with_suffix(".good.json")

    def _known(self, wanted: Wanted) -> _State:
        """Under the lock."""
        found = self._states.get(wanted)
        if found is None:
            found = self._states[wanted] = _State(self._stored(wanted, self.file(wanted)))
        return found

    def _is_new(self, state: _State) -> bool:
        """Whether it was not asked for yet, or in vain and some time ago."""
        was_had = state.was_asked and state.kept is not None
        return not was_had and self._now() >= state.due_at

    def _due(self, wanted: frozenset[Wanted]) -> tuple[Wanted, ...]:
        """Those to ask for now; what nobody has wanted for a while is forgotten."""
        now = self._now()
        with self._lock:
            for each, state in tuple(self._states.items()):
                if each not in wanted and not state.is_asked and now >= state.due_at:
                    del self._states[each]
            states = {each: self._known(each) for each in wanted}
            due = [
                each for each, state in states.items() if not state.is_asked and now >= state.due_at
            ]
            for each in due:
                states[each].is_asked = True
        return tuple(due)

    async def _all(self, wanted: Sequence[Wanted]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for each in wanted:
                tasks.create_task(self._renew(each))

    async def _renew(self, wanted: Wanted) -> None:
        with self._lock:
            state = self._known(wanted)
            state.is_asked = True
            kept = state.kept
        known = None if kept is None else Document(kept.text, kept.etag, kept.last_modified)
        try:
            answer = await self._fetch(wanted, known)
            if answer is not None:
                await asyncio.to_thread(self._take, wanted, state, answer)
        except CannotBeFetched as error:
            self._failed(wanted, state, str(error))
        except Exception as error:  # whatever it is, other documents are fetched
            logger.exception("'%s' cannot be fetched", wanted.url)
            self._failed(wanted, state, f"a fault of ours ({type(error).__name__})")
        else:
            with self._lock:
                state.problem, state.failures = "", 0
                state.is_asked, state.was_asked = False, True
                state.due_at = self._now() + wanted.refresh_seconds

    def _failed(self, wanted: Wanted, state: _State, why: str) -> None:
        with self._lock:
            is_news = state.problem != why
            state.failures += 1
            state.problem, state.is_asked, state.was_asked = why, False, True
            pause = _AGAIN_SECONDS * 2.0 ** min(state.failures - 1, 10)
            state.due_at = self._now() + min(pause, wanted.refresh_seconds)
            kept = state.kept
        if is_news and kept is not None:
            logger.warning(
                "'%s' cannot be fetched: %s; the document of %s is used",
                *(wanted.url, why, kept.fetched),
            )

    def _take(self, wanted: Wanted, state: _State, document: Document) -> None:
        """Whoever sees that the file is new reads what is in it. Raises `CannotBeFetched`."""
        if wrong := _WRONG[wanted.form](document.text):
            raise CannotBeFetched(wrong)
        fetched = datetime.now(UTC).isoformat(timespec="seconds")
        kept = _Kept(wanted.url, fetched, document.text, document.etag, document.last_modified)
        file, before = self.file(wanted), state.kept
        with self._lock:
            state.kept = kept
        if file is None or (before is not None and before.text == kept.text):
            return
        try:
            _write(file, msgspec.json.encode(kept))
        except OSError as error:
            why = f"it cannot be kept in '{file.parent}': {(error.strerror or '').lower()}"
            if before is not None:  # nobody would notice that it has changed
                with self._lock:
                    state.kept = before
                raise CannotBeFetched(why) from error
            logger.warning("'%s': %s", wanted.url, why)

    def _stored(self, wanted: Wanted, file: Path | None) -> _Kept | None:
        if file is None:
            return None
        try:
            kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            logger.warning("'%s': what is kept of it cannot be read: %s", wanted.url, error)
            return None
        return kept if kept.url == wanted.url else None


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all."""
    unfinished = file.with_suffix(".unfinished")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as writing:
        writing.write(data)
        writing.flush()
        os.fsync(writing.fileno())
    unfinished.replace(file)


def _found(state: _State) -> Found:
    if state.kept is None:
        return f"cannot be fetched: {state.problem}"
    return Content(state.kept.text, _digest(state.kept.text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
