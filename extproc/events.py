"""What Envoy tells us of one HTTP exchange, and what we answer. Plain values, no protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from extproc.told import Told
from extproc.verdict import Deny
from gateway.usage import Usage


class RequestHeaders(Struct, frozen=True):
    """The request began."""

    headers: Mapping[str, str]
    """Lower-case names, pseudo-headers too; only those that Envoy was told to forward."""
    is_end: bool
    """No body follows."""
    source_address: str = ""
    """The client's IP address, when a rule reads it."""
    source_identity: str = ""
    """The name in the client's certificate, when somebody reads it; empty: it has shown none."""
    source_subject: str = ""
    """The subject of that certificate."""
    external: Mapping[str, object] | None = None
    """What an external service said of the request, when a rule reads it."""


class RequestBody(Struct, frozen=True):
    """The whole body of the request."""

    body: bytes


class Failure(Struct, frozen=True):
    """What a provider answered that failed."""

    status: int
    headers: Mapping[str, str]
    """Those that say how long it wants to be left alone."""


class ResponseHeaders(Struct, frozen=True):
    """An upstream, or Envoy itself, began to answer."""

    status: int
    cluster: str
    """Where the last try went."""
    details: str = ""
    """Envoy's RESPONSE_CODE_DETAILS: `via_upstream`, or why Envoy answered itself."""
    attempt: int = 0
    """Which try it was, from 1, where the cluster does not tell; 0: the cluster does."""
    headers: Mapping[str, str] = {}
    """Lower-case names; only those that Envoy was told to forward."""
    failures: Mapping[str, Failure] = {}
    """Of the tries that were answered so, by cluster."""
    is_end: bool = False
    """No body follows."""


class ResponseBody(Struct, frozen=True):
    """A piece of the answer, which waits for us; shown where Envoy cannot read the usage."""

    body: bytes
    is_end: bool
    """Nothing follows."""


class ResponseEnd(Struct, frozen=True):
    """The last byte of the answer has passed, and Envoy has read it."""

    usage: Usage | None
    trailers: Mapping[str, str] = {}
    """Lower-case names; only those that Envoy was told to forward."""


class Other(Struct, frozen=True):
    """A message that asks nothing of us; answered in kind."""

    kind: str


Event: TypeAlias = (
    RequestHeaders | RequestBody | ResponseHeaders | ResponseBody | ResponseEnd | Other
)


class Continue(Struct, frozen=True):
    """Let it go on as it is."""


class Reading(Struct, frozen=True):
    """Show the body of the request, where it would not be."""

    is_answered: bool
    """And the headers of the answer."""
    is_to_the_end: bool
    """Let us know when that is over."""


class Strip(Struct, frozen=True):
    """Let it go on without these headers: the credentials that were ours to read."""

    headers: tuple[str, ...]
    told: tuple[Told, ...] = ()
    """Where the client's limits stand, for the headers of the answer."""
    set_headers: tuple[tuple[str, str], ...] = ()
    """What the backend is shown instead."""
    reading: Reading | None = None
    """None: what follows is shown as the route has it."""


class Forward(Struct, frozen=True):
    """Send the request to the providers of a plan."""

    plan_reply: bytes
    """The part of the answer that depends on the plan alone (`wire.encode_plan`)."""
    body: bytes | None
    """The new body; None keeps the client's."""
    headers: tuple[tuple[str, str], ...] = ()
    """Those that this request alone has beside those of the plan, whose body was read."""
    told: tuple[Told, ...] = ()
    """Where the client's limits stand, for the headers of the answer."""
    low: str = ""
    """The same: of which budget too little is left, and which model is asked instead."""


class Direct(Struct, frozen=True):
    """Send the request to an MCP server, to the hub, or to an A2A agent."""

    reply: bytes
    """The part of the answer that depends on where it goes alone (`direct_wire.encode_way`)."""
    is_read: bool
    """Answers the body; else the headers."""
    set_headers: tuple[tuple[str, str], ...] = ()
    remove_headers: tuple[str, ...] = ()
    session: str = ""
    """What the client calls its session, for the answer; empty: as the server says."""
    body: bytes | None = None
    """The new body; None keeps the client's."""
    told: tuple[Told, ...] = ()
    """Where the client's limits stand, for the headers of the answer."""
    is_shown: bool = False
    """After headers: show us those of the answer, too."""
    token: str = ""
    """What the server is shown of who calls: `Bearer …`; empty: nothing."""
    address: str = ""
    """Where Envoy connects to, where the cluster does not say so: `192.0.2.1:443`."""
    is_flowing: bool = False
    """After headers: the answer flows; a new body goes on, whether there was one or not."""
    turns: tuple[str, ...] = ()
    """After a body: the cluster, and those that get the request, one after the other, where there
    is no connection to those before; empty: nobody else does."""


class Show(Struct, frozen=True):
    """Read on, and show us the status of the answer, too."""

    is_to_the_end: bool = False
    """And let us know when it is over."""
    is_flowing: bool = False
    """Show all of the answer as it comes; what of it goes on, and when, `Flow` says."""


class Respond(Struct, frozen=True):
    """Answer the client ourselves."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    details: str
    """For Envoy's access log (RESPONSE_CODE_DETAILS): `dragoman_budget_exhausted`."""


class Watch(Struct, frozen=True):
    """Show us the answer's body, whose pieces wait for us, and change its headers."""

    set_headers: tuple[tuple[str, str], ...] = ()
    remove_headers: tuple[str, ...] = ()
    is_whole: bool = False
    """Show it in one piece, before its headers are sent on; only for what fits Envoy's buffers."""
    is_beginning: bool = False
    """Show what fits Envoy's buffers in one piece, before its headers are sent on; what is longer
    goes on without being shown."""
    is_flowing: bool = False
    """Show all that follows the headers as it comes; what of it goes on, and when, `Flow` says."""

    @property
    def shown(self) -> str:
        """The mode of ext_proc that does so."""
        if self.is_flowing:
            return "FULL_DUPLEX_STREAMED"
        if self.is_beginning:
            return "BUFFERED_PARTIAL"
        return "BUFFERED" if self.is_whole else "STREAMED"


class ChangeHeaders(Struct, frozen=True):
    """Let the answer pass, with other headers."""

    set_headers: tuple[tuple[str, str], ...]
    remove_headers: tuple[str, ...] = ()


class Replace(Struct, frozen=True):
    """Put these bytes in the place of the piece that was shown."""

    body: bytes
    remove_headers: tuple[str, ...] | None = None
    """Of a whole answer, whose headers wait: without these, and with the new length. None: headers
    stay as they are, or have gone on."""


class Flow(Struct, frozen=True):
    """What goes on of an answer that flows: one, several or none of its parts, when it is time.

    Envoy waits for none of them, and keeps nothing: what is not said here, the client never sees. A
    body can be said once a piece of one was shown.
    """

    head: ChangeHeaders | None = None
    """Its headers go on now, changed so; None: not now."""
    body: bytes = b""
    is_end: bool = False
    """Nothing follows, but trailers where some were shown."""
    trailers: ChangeHeaders | None = None
    """Those that were shown go on, changed so."""
    denied: Deny | None = None
    """Why it ends here; None: nobody refused anything, or who did has told so."""


class Finish(Struct, frozen=True):
    """Put these bytes in the place of the piece that was shown, and cut both connections then."""

    body: bytes
    details: str
    """For Envoy's access log (RESPONSE_CODE_DETAILS)."""
    denied: Deny | None = None
    """Why; None: nobody refused anything."""


Action: TypeAlias = (
    Continue
    | Strip
    | Forward
    | Direct
    | Show
    | Respond
    | Watch
    | ChangeHeaders
    | Replace
    | Flow
    | Finish
)

CONTINUE = Continue()
