"""What clients refused (NACK), and why: the last ones to be shown, and all of them counted.

What a peer says is a stranger's text: cut to a length, and without what looks like a secret.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway import names
from gateway.secret_texts import redact
from xds_server.audience import Kind, Node
from xds_server.snapshot import TYPES, short_type

logger = logging.getLogger(__name__)

KEPT = 20
READ_LIMIT = 64 << 10
"""Of a reason: Envoy's may begin with all of a resource."""
REASON_LIMIT = 2_000
NODE_LIMIT = 100
NAMES_LIMIT = 10
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
OTHER = "other"
"""All types that are not ours to send: clients may ask for any."""

_INSIDE_NAMES = "_-/#"
_KNOWN = frozenset((*TYPES, names.CONFIGURATION_TYPE))


@dataclass(frozen=True, slots=True)
class Refusal:
    """One response that a client did not take, or not all of."""

    time: datetime
    kind: Kind
    client: str
    """What it is, for people: `client_name`."""
    node: str
    type: str
    """Without its package: `Listener`."""
    names: tuple[str, ...]
    """The resources that the reason mentions; else all of the response, but for what is too much
    to be shown."""
    reason: str

    def __str__(self) -> str:
        which = f" {', '.join(self.names)}" if self.names else ""
        return f"{self.client} {self.node} refuses {self.type}{which}: {self.reason}"


class Refusals:
    """Everything that was refused since the start."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._recent: deque[Refusal] = deque(maxlen=KEPT)
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, kind: Kind, node: Node, type_url: str, sent: Sequence[str], reason: str) -> None:
        """A client has refused a response with these resources."""
        said = told(reason)
        meant = _mentioned(sent, said) or _mentioned(sent, reason[:READ_LIMIT]) or list(sent)
        who = (kind, client_name(kind, node), node_name(node.id))
        refusal = Refusal(self._now(), *who, short(type_url), _few(meant), said)
        self._recent.appendleft(refusal)
        self._counts[kind.value, refusal.type] += 1
        logger.warning("%s", refusal)

    @property
    def recent(self) -> tuple[Refusal, ...]:
        """The latest first."""
        return tuple(self._recent)

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """(Kind, type) → how many."""
        return dict(self._counts)


def short(type_url: str) -> str:
    """A type for people and for labels of metrics, of which there must be few."""
    return short_type(type_url) if type_url in _KNOWN else OTHER


def told(reason: str) -> str:
    """A stranger's reason, as it may be shown."""
    return one_line(redact(reason[:READ_LIMIT]), REASON_LIMIT)


def node_name(node_id: str) -> str:
    """What a stranger calls itself, as it may be shown."""
    return one_line(node_id, NODE_LIMIT)


def client_name(kind: Kind, node: Node) -> str:
    """What a client is, as it may be shown: others than Envoys speak xDS too, and say what they
    are."""
    own = node.user_agent if kind is Kind.ENVOY else ""
    return one_line(own, NODE_LIMIT) or kind.value


def one_line(text: str, limit: int) -> str:
    """Short enough, on one line, and without signs that a terminal obeys."""
    line = " ".join(text[: limit * 8].split())
    shown = "".join(letter if letter.isprintable() else UNPRINTABLE for letter in line[:limit])
    return shown if len(text) <= limit * 8 and len(line) <= limit else f"{shown}…"


def _mentioned(sent: Sequence[str], reason: str) -> list[str]:
    return [name for name in sent if mentions(reason, name)]


def _few(named: Sequence[str]) -> tuple[str, ...]:
    shown = list(named[:NAMES_LIMIT])
    if len(named) > len(shown):
        shown.append(f"and {len(named) - len(shown)} more")
    return tuple(shown)


def mentions(text: str, name: str) -> bool:
    """Whether the name stands there, not as a part of another."""
    place = text.find(name) if name else -1
    while place >= 0:
        end = place + len(name)
        around = (text[place - 1 : place], text[end : end + 1])
        if not any(letter.isalnum() or letter in _INSIDE_NAMES for letter in around if letter):
            return True
        place = text.find(name, end)
    return False
