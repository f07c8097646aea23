"""Headers that one try must not have from another: the client's own key for a provider, which the
wipe of an earlier try removes; the fixed headers of a provider, which a later try inherits; the
betas that a provider takes, of all that the client asked for.

Scripts keep them in the metadata of the request, which all of its tries share. They are there only
where some provider of the gateway needs them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway import names
from gateway.betas import ALL, CALLED_BY_CLOUDS
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
_CHOOSE = """\
function envoy_on_request(handle)
  local headers = handle:headers()
  local metadata = handle:streamInfo():dynamicMetadata()
  local asked = (metadata:get({namespace}) or {{}})["betas"]
  if asked == nil then
    asked = headers:get({header}) or ""
    metadata:set({namespace}, "betas", asked)
  end
  local called = {{{called}}}
  local taken = {{{taken}}}
  local function takes(beta)
    for _, name in ipairs(taken) do
      if beta == name or name:sub(-1) == "*" and beta:sub(1, #name - 1) == name:sub(1, -2) then
        return true
      end
    end
    return false
  end
  local found = {{}}
  for beta in asked:gmatch("[^,%s]+") do
    if takes(beta) then
      found[#found + 1] = beta
    elseif called[beta] ~= nil and takes(called[beta]) then
      found[#found + 1] = called[beta]
    end
  end
  if #found > 0 then
    headers:replace({header}, table.concat(found, ","))
  else
    headers:remove({header})
  end
end
"""
"""As `gateway.betas.taken` chooses."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the tries of a gateway have to know of each other."""

    passed: tuple[str, ...] = ()
    """Headers with keys of clients' own for some provider."""
    sends_headers: bool = False
    """Some provider has fixed headers."""
    chooses_betas: bool = False
    """Some provider does not take all betas."""


NOTHING_SHARED = Shared()


def shared(providers: Iterable[Provider]) -> Shared:
    """What these providers ask of all tries."""
    known = tuple(providers)
    passed = {each.credential.header for each in known if isinstance(each.credential, PassThrough)}
    return Shared(
        tuple(sorted(passed)),
        any(each.headers for each in known),
        any(each.betas is not None for each in known),
    )


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


def choose_betas(provider: Provider, found: Shared) -> Json | None:
    """Of the betas that the client asks for, those that this provider takes."""
    if not found.chooses_betas:
        return None
    takes = ALL if provider.betas is None else provider.betas
    called = (f"[{lua_text(name)}] = {lua_text(other)}" for name, other in CALLED_BY_CLOUDS.items())
    script = _CHOOSE.format(
        namespace=lua_text(names.TRY_NAMESPACE),
        header=lua_text(names.BETAS_HEADER),
        called=", ".join(called),
        taken=", ".join(map(lua_text, takes)),
    )
    return lua(names.BETAS_FILTER, script)
