"""Agent cards of every revision, read strictly: who an agent is, what it can do, how it is reached.

A2A 1.0 §4.4.1 and 0.3.0 §5.5. A card may have the members of both revisions. An interface's URL
says a path; whether its host is where the agent may be, others decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from gateway.a2a import Binding, Revision

MOST_BYTES: Final = 1 << 20
MOST_INTERFACES: Final = 64
MOST_SKILLS: Final = 1000

_Texts: TypeAlias = tuple[str, ...] | None
_VERSION: Final = re.compile(r"(\d{1,3})\.(\d{1,3})(\.[0-9A-Za-z.+-]*)?")
_PATH: Final = re.compile(r"/[!-~]{0,2048}")
"""What can stand in a request line."""
_LEGACY_VERSION: Final = "0.3.0"
_USUAL_PORTS: Final = {"http": 80, "https": 443}
_BINDINGS: Final[Mapping[str, Binding]] = {each.value: each for each in Binding}


class Interface(Struct, frozen=True):
    """A way to reach an agent."""

    binding: Binding
    revision: Revision
    authority: str
    """Host, and port where it is none of the usual; of gRPC, the port is always there if it is
    said. Empty: the URL has no host."""
    path: str
    """Of JSON-RPC, at least `/`, with the query; of HTTP+JSON, what stands before its paths,
    without a slash at the end; of gRPC, empty."""
    tenant: str = ""
    """What requests must say as theirs (1.0)."""


class Skill(Struct, frozen=True):
    """Something that an agent can do."""

    id: str
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    input_modes: tuple[str, ...] = ()
    """Media types; empty: those of the agent."""
    output_modes: tuple[str, ...] = ()


class Capabilities(Struct, frozen=True):
    """What an agent can do beyond taking a message."""

    streaming: bool = False
    push_notifications: bool = False
    extended_card: bool = False
    """Whoever is known is told another card."""
    extensions: tuple[str, ...] = ()
    """URIs."""
    required_extensions: tuple[str, ...] = ()


class Card(Struct, frozen=True):
    """What an agent tells of itself."""

    body: bytes
    """As it was told, in JSON."""
    document: Mapping[str, object]
    name: str
    description: str
    version: str
    """Of the agent."""
    provider: str
    """The organization."""
    skills: tuple[Skill, ...]
    input_modes: tuple[str, ...]
    output_modes: tuple[str, ...]
    capabilities: Capabilities
    interfaces: tuple[Interface, ...]
    """In the card's order; those of bindings and revisions that are not known are left out."""
    unused: tuple[str, ...]
    """Why interfaces are left out."""
    is_signed: bool
    """Whether it says that it is; nobody has looked."""
    digest: str
    """Of the body: SHA-256, hex."""


class BrokenCard(Struct, frozen=True):
    """What an agent told is no card."""

    reason: str


class _Interface(Struct, frozen=True, rename="camel"):
    url: str
    protocol_binding: str
    protocol_version: str | None = None
    tenant: str | None = None


class _LegacyInterface(Struct, frozen=True):
    url: str
    transport: str


class _Provider(Struct, frozen=True):
    organization: str = ""


class _Extension(Struct, frozen=True):
    uri: str = ""
    required: bool | None = None


class _Capabilities(Struct, frozen=True, rename="camel"):
    streaming: bool | None = None
    push_notifications: bool | None = None
    extended_agent_card: bool | None = None
    extensions: tuple[_Extension, ...] | None = None


class _Skill(Struct, frozen=True, rename="camel"):
    id: str
    name: str | None = None
    description: str | None = None
    tags: _Texts = None
    examples: _Texts = None
    input_modes: _Texts = None
    output_modes: _Texts = None


class _Members(Struct, frozen=True, rename="camel"):
    """What is read of a card."""

    name: str
    description: str | None = None
    version: str | None = None
    provider: _Provider | None = None
    capabilities: _Capabilities | None = None
    default_input_modes: _Texts = None
    default_output_modes: _Texts = None
    skills: tuple[_Skill, ...] | None = None
    supported_interfaces: tuple[_Interface, ...] | None = None
    url: str | None = None
    preferred_transport: str | None = None
    additional_interfaces: tuple[_LegacyInterface, ...] | None = None
    protocol_version: str | None = None
    protocol_versions: _Texts = None
    """Of drafts of 1.0."""
    extended: bool | None = field(name="supportsAuthenticatedExtendedCard", default=None)
    signatures: list[object] | None = None


def read_card(body: bytes) -> Card | BrokenCard:
    """A card of 0.2, 0.3 or 1.0."""
    if len(body) > MOST_BYTES:
        return BrokenCard(f"the card has {len(body)} bytes, and may have {MOST_BYTES}")
    try:
        document = json_spans.decode(body)
        members = msgspec.convert(document, _Members)
    except InvalidJson as error:
        return BrokenCard(f"the card is no JSON: {error}")
    except msgspec.ValidationError as error:
        return BrokenCard(f"the card is none: {error}")
    mistake = _mistake(members)
    if mistake:
        return BrokenCard(mistake)
    said = tuple(_interfaces(members))
    interfaces = tuple(dict.fromkeys(each for each in said if isinstance(each, Interface)))
    unused = tuple(each for each in said if isinstance(each, str))
    if not interfaces:
        return BrokenCard(f"the card names no interface that is known: {'; '.join(unused)}")
    return Card(
        body,
        document,
        members.name,
        members.description or "",
        members.version or "",
        members.provider.organization if members.provider else "",
        tuple(_skill(each) for each in members.skills or ()),
        members.default_input_modes or (),
        members.default_output_modes or (),
        _capabilities(members),
        interfaces,
        unused,
        bool(members.signatures),
        sha256(body).hexdigest(),
    )


def _mistake(members: _Members) -> str:
    if not members.name.strip():
        return "the card has no name"
    if len(members.skills or ()) > MOST_SKILLS:
        return f"the card has more than {MOST_SKILLS} skills"
    many = len(members.supported_interfaces or ()) + len(members.additional_interfaces or ())
    if many > MOST_INTERFACES:
        return f"the card has more than {MOST_INTERFACES} interfaces"
    return "" if many or members.url else "the card names no interface"


def _interfaces(members: _Members) -> Iterator[Interface | str]:
    """Those of 1.0, and those of 0.3; or why they cannot be used."""
    everywhere = members.protocol_versions or ()
    usual = everywhere[0] if everywhere else Revision.V1_0
    for each in members.supported_interfaces or ():
        version = each.protocol_version or usual
        yield _interface(each.url, each.protocol_binding, version, each.tenant or "")
    version = members.protocol_version or _LEGACY_VERSION
    if members.url:
        transport = members.preferred_transport or Binding.JSONRPC
        yield _interface(members.url, transport, version, "")
    for legacy in members.additional_interfaces or ():
        yield _interface(legacy.url, legacy.transport, version, "")


def _interface(url: str, said_binding: str, version: str, tenant: str) -> Interface | str:
    binding, revision = _BINDINGS.get(said_binding.upper()), _revision(version)
    if binding is None:
        return f"the binding {said_binding[:64]!r} is not known"
    if revision is None:
        return f"the revision {version[:32]!r} is not known"
    place = _grpc_place(url) if binding is Binding.GRPC else _place(url)
    if place is None:
        return f"{url[:256]!r} is no address of {binding.value}"
    authority, path = place
    if binding is Binding.HTTP_JSON:
        path = path.partition("?")[0].rstrip("/")
    return Interface(binding, revision, authority, path, tenant)


def _revision(version: str) -> Revision | None:
    """Whose words a version's are."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return None
    major, minor = int(found[1]), int(found[2])
    if major == 1:
        return Revision.V1_0
    return Revision.V0_3 if major == 0 and minor in (2, 3) else None


def _place(url: str) -> tuple[str, str] | None:
    """Authority and path of an HTTP URL; None: it is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _PATH.fullmatch(path):
        return None
    if not parts.scheme and not parts.netloc:
        return "", path
    if parts.scheme not in _USUAL_PORTS or not host:
        return None
    return _authority(host, None if port == _USUAL_PORTS[parts.scheme] else port), path


def _grpc_place(url: str) -> tuple[str, str] | None:
    """The same of `host:port`, of a URL, or of gRPC's `dns:///host:port`."""
    scheme, _, rest = url.rpartition("://")
    try:
        parts = urlsplit(f"//{rest.lstrip('/')}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or any(each.isspace() for each in url):
        return None
    return _authority(host, None if port == _USUAL_PORTS.get(scheme) else port), ""


def _authority(host: str, port: int | None) -> str:
    written = f"[{host}]" if ":" in host else host
    return written if port is None else f"{written}:{port}"


def _skill(said: _Skill) -> Skill:
    return Skill(
        said.id,
        said.name or "",
        said.description or "",
        said.tags or (),
        said.examples or (),
        said.input_modes or (),
        said.output_modes or (),
    )


def _capabilities(members: _Members) -> Capabilities:
    said = members.capabilities or _Capabilities()
    extensions = said.extensions or ()
    return Capabilities(
        bool(said.streaming),
        bool(said.push_notifications),
        bool(said.extended_agent_card or members.extended),
        tuple(each.uri for each in extensions),
        tuple(each.uri for each in extensions if each.required),
    )
