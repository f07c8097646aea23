"""Logins of people with browsers: Envoy's `oauth2` filter sends them to an authorization server and
keeps what comes back in cookies, one filter for each login, which is off on other routes.

Around it stand two scripts. The first takes the cookies of logins from requests that bring another
credential: those pass the filter by, so nobody has looked at their cookies. The second, behind who
checks tokens, takes them from all requests, since after the filter they hold the tokens themselves.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/oauth2_filter
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway import names
from gateway.config.urls import place
from gateway.identity import ClientAuth, Login, LoginCookies, LoginToken
from gateway.model import Upstream
from xds_server.resources.extension import ADS, Json, duration, typed
from xds_server.resources.features import Features
from xds_server.resources.lua import lua_text

FILTER = "envoy.extensions.filters.http.oauth2.v3.OAuth2"
LUA = "envoy.extensions.filters.http.lua.v3.Lua"
_LUA_PER_ROUTE = "envoy.extensions.filters.http.lua.v3.LuaPerRoute"
IS_NOT_SENT = " || ".join(
    f'response.code_details.startsWith("{each}")' for each in names.NOT_LOGGED_IN
)
"""CEL over a 401 of the filter's: it would have sent a browser to log in."""
_SWITCH = "envoy.config.route.v3.FilterConfig"
_CONNECT_SECONDS = 3.0
_LIFETIME_SECONDS = 3600
"""Of tokens of which the server does not say (RFC 6749 §5.1 recommends that it does)."""
_LARGEST_COOKIE = 3800
"""With name and attributes, browsers keep 4096 bytes (RFC 6265 §6.1)."""
_FORWARDED, _SESSION = "forwarded", "session"
_AUTH_TYPES = {ClientAuth.BASIC: "BASIC_AUTH", ClientAuth.POST: "URL_ENCODED_BODY"}
_COOKIES = {
    "bearer_token": "access",
    "id_token": "id",
    "refresh_token": "refresh",
    "oauth_expires": "expires",
    "oauth_hmac": "hmac",
    "oauth_nonce": "nonce",
    "code_verifier": "verifier",
}
"""What Envoy calls them, and how their names end."""

_STRIP = """
local prefixes = {PREFIXES}

local function is_of_login(name)
  for _, prefix in ipairs(prefixes) do
    if string.sub(name, 1, #prefix) == prefix then
      return true
    end
  end
  return false
end

local function strip(headers, is_gone)
  local kept, is_found, found = {}, false, {}
  for index = 0, headers:getNumValues("cookie") - 1 do
    for cookie in string.gmatch(headers:getAtIndex("cookie", index), "[^;]+") do
      cookie = string.match(cookie, "^%s*(.-)%s*$")
      local name, value = string.match(cookie, "^([^=%s]+)%s*=%s*(.*)$")
      if is_gone(name or cookie) then
        is_found = true
        if name ~= nil then
          found[name] = value
        end
      elseif cookie ~= "" then
        kept[#kept + 1] = cookie
      end
    end
  end
  if is_found then
    headers:remove("cookie")
    if #kept > 0 then
      headers:add("cookie", table.concat(kept, "; "))
    end
  end
  return found
end
"""
_GUARD = """
local credentials = {CREDENTIALS}
local sessions = {SESSIONS}

local function names_of(headers)
  local found = {}
  for index = 0, headers:getNumValues("cookie") - 1 do
    for name in string.gmatch(headers:getAtIndex("cookie", index), "([^=;%s]+)%s*=") do
      found[name] = true
    end
  end
  return found
end

function envoy_on_request(handle)
  local headers = handle:headers()
  for _, name in ipairs(credentials) do
    if headers:getNumValues(name) > 0 then
      strip(headers, is_of_login)
      return
    end
  end
  if headers:getNumValues("cookie") == 0 then
    return
  end
  local found = names_of(headers)
  for _, session in ipairs(sessions) do
    if found[session.proof] and not (found[session.token] or found[session.token .. "_0"]) then
      strip(headers, function(name)
        return name == session.proof or name == session.refresh
      end)
    end
  end
end
"""
_LEAVE = """
function envoy_on_request(handle)
  local headers = handle:headers()
  headers:remove("SESSION_HEADER")
  if headers:getNumValues("cookie") == 0 then
    return
  end
  local found = strip(headers, is_of_login)
  local context = handle:filterContext()
  local forwarded, session = context:get("forwarded"), context:get("session")
  if forwarded ~= nil and found[forwarded] ~= nil then
    headers:replace("authorization", "Bearer " .. found[forwarded])
  end
  if session ~= nil and found[session] ~= nil then
    headers:add("SESSION_HEADER", found[session])
  end
end
"""


def login_filter(of: Login, features: Features) -> Json:
    """Asks one authorization server. What brings another credential passes."""
    origin = of.url or "%REQ(:scheme)%://%REQ(:authority)%"
    uses_access = LoginToken.ACCESS in (of.token, of.forwarded)
    endpoints = of.endpoints
    config: Json = {
        "token_endpoint": {
            "uri": endpoints.token,
            "cluster": names.login_cluster(of.name),
            "timeout": duration(of.timeout_seconds),
        },
        "authorization_endpoint": endpoints.authorization,
        "credentials": _credentials(of),
        "redirect_uri": f"{origin}{of.redirect_path}",
        "redirect_path_matcher": {"path": {"exact": of.redirect_path}},
        "signout_path": {"path": {"exact": of.sign_out_path}},
        "auth_scopes": list(of.scopes),
        "auth_type": _AUTH_TYPES[of.client_auth],
        "use_refresh_token": is_renewed(of, features),
        "default_expires_in": duration(_LIFETIME_SECONDS),
        "default_refresh_token_expires_in": duration(of.idle_seconds),
        "disable_access_token_set_cookie": not uses_access,
        "pass_through_matcher": [
            {"name": name, "present_match": True} for name in names.CREDENTIAL_HEADERS
        ],
        "deny_redirect_matcher": list(_by_themselves()),
        "cookie_configs": _cookie_configs(of.cookies),
        "stat_prefix": f"{of.name}.",
    }
    if features.splits_cookies:
        config["token_cookie_chunking"] = {"max_cookie_size": _LARGEST_COOKIE, "max_chunks": 8}
    if endpoints.end_session:
        config["end_session_endpoint"] = endpoints.end_session
    return typed(FILTER, config=config)


def is_renewed(of: Login, features: Features) -> bool:
    """By a refresh token. With a domain, nothing is signed for one host."""
    return of.is_refreshed and (features.renews_logins or bool(of.cookies.domain))


def guard_filter(logins: Iterable[Login]) -> Json:
    """A request that brings another credential brings no login. And who has one without the token
    that counts, as where a renewal has brought none, has none, and logs in again."""
    logins = tuple(logins)
    credentials = ", ".join(map(lua_text, names.CREDENTIAL_HEADERS))
    sessions = ", ".join(map(_session, logins))
    script = _GUARD.replace("CREDENTIALS", credentials).replace("SESSIONS", sessions)
    return _script(logins, script)


def cookies_filter(logins: Iterable[Login]) -> Json:
    """No backend sees the cookies of a login; one that wants the token gets it as credential."""
    return _script(logins, _LEAVE.replace("SESSION_HEADER", names.LOGIN_SESSION_HEADER))


def asked(of: Login, requirement: str) -> dict[str, Json]:
    """The filters of a route on which somebody may be logged in, by name."""
    if of.is_kept:  # extproc knows who that is, by the cookie
        context = {_SESSION: of.cookies.session}
        return {names.LOGIN_COOKIES_FILTER: typed(_LUA_PER_ROUTE, filter_context=context)}
    on = typed(_SWITCH, config={})
    found: dict[str, Json] = {
        names.LOGIN_GUARD_FILTER: on,
        names.login_filter(of.name): on,
        names.TOKENS_FILTER: typed(
            "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig",
            requirement_name=requirement,
        ),
    }
    if of.forwarded is not None:
        context = {_FORWARDED: token_cookie(of, of.forwarded)}
        found[names.LOGIN_COOKIES_FILTER] = typed(_LUA_PER_ROUTE, filter_context=context)
    return found


def left_alone() -> dict[str, Json]:
    """The same of a route at which extproc reads all cookies of a login."""
    return {names.LOGIN_COOKIES_FILTER: typed(_LUA_PER_ROUTE, disabled=True)}


def token_cookie(of: Login, token: LoginToken) -> str:
    """The cookie that holds a token."""
    which = {LoginToken.ID: "id_token", LoginToken.ACCESS: "bearer_token"}
    return f"{of.cookies.prefix}{_COOKIES[which[token]]}"


def token_upstream(of: Login) -> Upstream:
    """Where its tokens are asked for."""
    there = place(of.endpoints.token).upstream(_CONNECT_SECONDS)
    ca = of.endpoints.ca
    return Upstream(
        there.endpoints, there.authority, there.is_tls, there.connect_timeout_seconds, ca
    )


def _credentials(of: Login) -> Json:
    cookies = of.cookies
    fields: Json = {
        "client_id": of.client_id,
        "token_secret": {"name": names.login_client_secret(of.name), "sds_config": ADS},
        "hmac_secret": {"name": names.login_cookie_secret(of.name), "sds_config": ADS},
        "cookie_names": {field: f"{cookies.prefix}{end}" for field, end in _COOKIES.items()},
    }
    if cookies.domain:
        fields["cookie_domain"] = cookies.domain
    return fields


def _by_themselves() -> Iterable[Json]:
    """Requests that no person waits for: each of these is a sign."""
    asks_for_html = {"contains": "text/html", "ignore_case": True}
    yield {
        "name": "accept",
        "string_match": asks_for_html,
        "invert_match": True,
        "treat_missing_header_as_empty": True,
    }
    yield {
        "name": "sec-fetch-mode",  # absent in browsers that are old
        "string_match": {"safe_regex": {"regex": "cors|no-cors|same-origin|websocket"}},
    }
    yield {
        "name": "x-requested-with",
        "string_match": {"exact": "xmlhttprequest", "ignore_case": True},
    }


def _cookie_configs(cookies: LoginCookies) -> Json:
    same_site = {"same_site": "NONE" if cookies.is_cross_site else "LAX"}
    return {
        f"{field}_cookie_config": same_site
        for field in (
            "bearer_token",
            "oauth_hmac",
            "oauth_expires",
            "id_token",
            "refresh_token",
            "oauth_nonce",
            "code_verifier",
        )
    }


def _session(of: Login) -> str:
    cookies = {
        "proof": f"{of.cookies.prefix}{_COOKIES['oauth_hmac']}",
        "refresh": f"{of.cookies.prefix}{_COOKIES['refresh_token']}",
        "token": token_cookie(of, of.token),
    }
    return f"{{{', '.join(f'{name} = {lua_text(text)}' for name, text in cookies.items())}}}"


def _script(logins: Iterable[Login], script: str) -> Json:
    prefixes = ", ".join(lua_text(each.cookies.prefix) for each in logins)
    source = _STRIP.replace("PREFIXES", prefixes) + script
    return typed(LUA, default_source_code={"inline_string": source})
