"""A client and an agent who have no form in common: JSON-RPC and HTTP+JSON, of both revisions, each
to each. Between them, a worker reads request and answer.

What is streamed passes as it comes. Else the answer waits until it is whole; where it is small, so
do its headers, since an error's status may be another for the client.
"""

from __future__ import annotations

from typing import Final

from extproc.a2a.forms.calls import Call, Target
from extproc.a2a.forms.interpreter import Interpreter
from extproc.a2a.requests import A2aRequest
from extproc.a2a_serving.directory import NEWEST_FIRST, READABLE, Found, Way
from extproc.events import Action, Replace, Respond, ResponseHeaders, Watch
from extproc.overseeing import is_small
from extproc.ports import Asked

_DETAILS: Final = "dragoman_a2a_interpreted"
_LENGTH: Final = "content-length"
_OWN: Final = ("a2a-extensions", "x-a2a-extensions", "accept", "accept-encoding", "content-type")
"""Headers in which a client says its form."""
_Headers = tuple[tuple[str, str], ...]


def target_of(request: A2aRequest, found: Found) -> tuple[Target, Way]:
    """How the agent is asked: in the client's revision if it can be, and its binding. `found` is
    readable."""
    revisions = dict.fromkeys((request.revision, *NEWEST_FIRST))
    bindings = dict.fromkeys((request.binding, *READABLE))
    known = ((binding, revision) for revision in revisions for binding in bindings)
    spoken = next(each for each in known if each in found.ways)
    return Target(*spoken), found.ways[spoken]


class Interpreted:
    """The answer to one request, as it passes."""

    __slots__ = ("_interpreter", "_is_whole", "is_over")

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._is_whole = False
        """Its headers wait, too."""
        self.is_over = False
        """Nothing of it follows that has to be read."""

    @property
    def is_stream(self) -> bool:
        """It passes event by event, as its headers have said."""
        return self._interpreter.stream is not None

    def begins(self, event: ResponseHeaders) -> Action:
        """What is done with the headers of the agent's answer."""
        begun = self._interpreter.begin(event.status, event.headers)
        if event.headers.get(_LENGTH) == "0":
            return self._ended()
        if begun is not None:
            return Watch(_said(begun.status, begun.headers), (_LENGTH,))
        self._is_whole = is_small(event.headers)
        said = _said(200, (("content-type", "application/json"),))
        return Watch(said, (_LENGTH,), self._is_whole)

    def take(self, data: bytes, *, is_end: bool) -> Action:
        """What goes on in the place of a piece."""
        passed = self._interpreter.feed(data)
        if self._is_whole:
            return self._ended()
        if not is_end:
            return Replace(passed)
        self.is_over = True
        return Replace(passed + self._interpreter.end({}).body)

    def _ended(self) -> Respond:
        """All of it, in the place of an answer of which nothing has gone on."""
        self.is_over = True
        return answered(self._interpreter)


def answered(interpreter: Interpreter) -> Respond:
    """What the client is told when the agent has answered."""
    ended = interpreter.end({})
    status, headers = (200, ()) if ended.begun is None else ended.begun
    return Respond(status, headers, ended.body, _DETAILS)


def set_headers(call: Call, way: Way) -> _Headers:
    """Of the request, on its way to the agent."""
    return (":method", call.method), (":path", _path(call, way)), *call.headers


def removed_headers(call: Call) -> tuple[str, ...]:
    """What the client says of its own form."""
    said = {name for name, _ in call.headers}
    return tuple(each for each in _OWN if each not in said)


def asked_of(call: Call, way: Way, headers: _Headers) -> Asked:
    """The same as a request of the worker's own. `headers`: the configuration's."""
    return Asked(call.method, _path(call, way), (*call.headers, *headers), call.body)


def _path(call: Call, way: Way) -> str:
    return f"{way.path}{call.path}{f'?{call.query}' if call.query else ''}"


def _said(status: int, headers: _Headers) -> _Headers:
    return (":status", str(status)), *headers
