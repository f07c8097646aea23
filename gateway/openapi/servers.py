"""Where an API is: `servers` with their variables, or Swagger's `host` and `basePath`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from gateway.openapi.document import Document, Edition, Mistake, Unreadable
from gateway.openapi.reading import Place, Tree

_SCHEMES = ("https", "http")
_IN_PATHS = "/%:@!$&'()*+,;="
"""RFC 3986 §3.3."""


@dataclass(frozen=True, slots=True)
class Server:
    """An origin and a path."""

    origin: str
    """`https://api.example:8443`, in lower case; empty: that of the document."""
    path: str
    """Without a slash at its end."""


NOWHERE = Server("", "")


def server_of_document(document: Document) -> Server:
    """The first one."""
    if document.edition is Edition.SWAGGER_2:
        return _of_swagger(document.root)
    found = _servers(document, document.root, ())
    return found[0] if found else NOWHERE


def server_below(document: Document, node: dict[str, Tree], place: Place, around: Server) -> Server:
    """That of a path or of an operation: of its servers, the first at the same origin."""
    found = _servers(document, node, place)
    if not found:
        return around
    for each in found:
        if each.origin in ("", around.origin):
            return Server(around.origin, each.path)
    elsewhere = found[0].origin
    where = f"'{around.origin}'" if around.origin else "no origin"
    hint = "exclude it, and make it a server of its own"
    document.wrong((*place, "servers"), f"is at '{elsewhere}', the document at {where}", hint)
    return around


def _of_swagger(root: dict[str, Tree]) -> Server:
    host, base = root.get("host"), root.get("basePath")
    said = root.get("schemes")
    schemes = said if isinstance(said, list) else []
    scheme = next((each for each in _SCHEMES if each in schemes), _SCHEMES[0])
    origin = f"{scheme}://{host.lower()}" if isinstance(host, str) and host else ""
    return Server(origin, _path(base) if isinstance(base, str) else "")


def _servers(document: Document, node: dict[str, Tree], place: Place) -> list[Server]:
    """Those that can be read; a mistake where none can."""
    listed = node.get("servers")
    if not listed:
        return []
    found, mistakes = [], []
    for index, each in enumerate(document.items(listed, (*place, "servers"))):
        inner: Place = (*place, "servers", index)
        read = _server(document.mapping(each, inner), inner)
        if isinstance(read, Server):
            found.append(read)
        else:
            mistakes.append(read)
    if not found:
        for mistake in mistakes:
            document.wrong(mistake.place, mistake.message, mistake.hint)
        raise Unreadable
    return found


def _server(node: dict[str, Tree], place: Place) -> Server | Mistake:
    place = (*place, "url")
    url, variables = node.get("url"), node.get("variables")
    if not isinstance(url, str):
        return Mistake(place, "must be the URL of a server")
    for name, variable in variables.items() if isinstance(variables, dict) else ():
        default = variable.get("default") if isinstance(variable, dict) else None
        if default is not None:
            url = url.replace(f"{{{name}}}", str(default))
    try:
        parts = urlsplit(url)
        is_url = parts.port is None or parts.port > 0
    except ValueError:
        is_url = False
    if not is_url or "{" in url or "@" in parts.netloc:
        return Mistake(place, f"'{url}' is no URL", "give each variable a default")
    if parts.scheme and parts.scheme.lower() not in _SCHEMES:
        return Mistake(place, f"'{url}' is neither http nor https")
    origin = f"{parts.scheme or 'https'}://{parts.netloc}".lower() if parts.netloc else ""
    return Server(origin, _path(parts.path))


def _path(text: str) -> str:
    path = quote(text.strip("/"), safe=_IN_PATHS)
    return f"/{path}" if path else ""
