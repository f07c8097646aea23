"""Headers that one try must not have from another: the client's own key for a provider, which the
wipe of an earlier try removes, and the fixed headers of a provider, which a later try inherits.

Scripts keep both in the metadata of the request, which all of its tries share. They are there only
where some provider of the gateway needs them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway import names
from gateway.credentials import PassThrough
from gateway.model import Provider
from xds_server.resources.extension import Json
from xds_server.resources.lua import lua, lua_text

_KEEP = """\
function envoy_on_request(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  if metadata:get({namespace}) ~= nil then
    return
  end
  local kept = {{}}
  for _, name in ipairs({{{names}}}) do
    kept[name] = handle:headers():get(name) or ""
  end
  metadata:set({namespace}, "keys", kept)
end
"""
_SEND = """\
function envoy_on_request(handle)
  local headers = handle:headers()
  local metadata = handle:streamInfo():dynamicMetadata()
  local tried = metadata:get({namespace}) or {{}}
  for _, name in pairs(tried["added"] or {{}}) do
    headers:remove(name)
  end
  local added = {{}}
  for _, header in ipairs({{{headers}}}) do
    if headers:get(header[1]) == nil then
      headers:add(header[1], header[2])
      added[#added + 1] = header[1]
    end
  end
  metadata:set({namespace}, "added", added)
end
"""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the tries of a gateway have to know of each other."""

    passed: tuple[str, ...] = ()
    """Headers with keys of clients' own for some provider."""
    sends_headers: bool = False
    """Some provider has fixed headers."""


NOTHING_SHARED = Shared()


def shared(providers: Iterable[Provider]) -> Shared:
    """What these providers ask of all tries."""
    known = tuple(providers)
    passed = {each.credential.header for each in known if isinstance(each.credential, PassThrough)}
    return Shared(tuple(sorted(passed)), any(each.headers for each in known))


def keep(found: Shared) -> Json | None:
    """Before the wipe of the first try."""
    if not found.passed:
        return None
    script = _KEEP.format(
        namespace=lua_text(names.CLIENT_NAMESPACE), names=", ".join(map(lua_text, found.passed))
    )
    return lua(names.KEEP_FILTER, script)


def send(provider: Provider, found: Shared) -> Json | None:
    """The fixed headers of this provider, and no other's."""
    if not found.sends_headers:
        return None
    headers = (f"{{{lua_text(name)}, {lua_text(value)}}}" for name, value in provider.headers)
    script = _SEND.format(namespace=lua_text(names.TRY_NAMESPACE), headers=", ".join(headers))
    return lua(names.HEADERS_FILTER, script)
