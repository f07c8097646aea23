"""How a provider is shown whose request it is: the filter of a try that adds it, last of those that
change the request, and what that filter needs.

Envoy signs for AWS and fetches OAuth tokens itself. What it cannot fetch, the control plane does,
and sends it as the secret that a static key would be in.
"""

from __future__ import annotations

from typing import assert_never

from gateway import names
from gateway.config.urls import place
from gateway.credentials import (
    AwsCredential,
    ClientAuth,
    EntraClient,
    GcpCredential,
    ManagedIdentity,
    OAuthClient,
    PassThrough,
    StaticKey,
)
from gateway.model import Provider, Service, Upstream
from xds_server.resources.extension import ADS, Json, extension
from xds_server.resources.lua import lua, lua_text

_TOKEN_SECONDS = 5.0
"""For a connection to a token endpoint, and for its answer."""
_TOKEN_RETRY = "2s"
_SESSION = "dragoman"
_AUTH_TYPES = {ClientAuth.BODY: "URL_ENCODED_BODY", ClientAuth.BASIC: "BASIC_AUTH"}

_UNSIGNED = ("accept", "accept-encoding", "connection", "te", "user-agent")
"""What a proxy on the way may change."""

_FETCHED = (GcpCredential, ManagedIdentity, OAuthClient, EntraClient)
_NO_TOKEN = """\
function envoy_on_request(handle)
  if handle:headers():get("authorization") == nil then
    handle:respond({[":status"] = "503"}, "no token for the provider")
  end
end
"""

_PASS = """\
function envoy_on_request(handle)
  local kept = handle:streamInfo():dynamicMetadata():get({namespace}) or {{}}
  local key = (kept["keys"] or {{}})[{header}] or ""
  if key:sub(1, 7):lower() == "bearer " then
    key = key:sub(8)
  end
  if key == "" then
{lacking}
  end
  if not key:find(" ") then
    key = {prefix} .. key
  end
  handle:headers():replace({sent_as}, key)
end
"""


def credential_filter(provider: Provider | Service) -> Json | None:
    """None: nobody asks."""
    match provider.credential:
        case None:
            return None
        case StaticKey(header=header, prefix=prefix):
            return _injector(_generic(provider, header, prefix))
        case GcpCredential() | ManagedIdentity():
            return _injector(_generic(provider, "authorization", "Bearer "), may_lack=True)
        case OAuthClient() | EntraClient():
            oauth = _oauth(_secret(provider), as_oauth(provider.credential))
            return _injector(oauth, may_lack=True)
        case AwsCredential():
            return _signing(provider.credential, provider.upstream.authority)
        case PassThrough():
            return _passing(provider.credential)
        case _:
            assert_never(provider.credential)


def token_filter(provider: Provider | Service) -> Json | None:
    """After the credential: that there is no token yet is no fault of the client's, and the answer
    says so. None: there is nothing that might be missing."""
    if not isinstance(provider.credential, _FETCHED):
        return None
    return lua(names.TOKEN_FILTER, _NO_TOKEN)


def has_secret(provider: Provider | Service) -> bool:
    """Whether its filter reads a secret that comes by SDS."""
    return provider.credential is not None and not isinstance(
        provider.credential, AwsCredential | PassThrough
    )


def reads_body(provider: Provider | Service) -> bool:
    """Whether its filter holds the whole body, which it signs."""
    return isinstance(provider.credential, AwsCredential)


def as_oauth(credential: OAuthClient | EntraClient) -> OAuthClient:
    """Entra is an OAuth server like others.

    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
    """
    if isinstance(credential, OAuthClient):
        return credential
    url = f"{credential.authority}/{credential.tenant}/oauth2/v2.0/token"
    return OAuthClient(url, credential.client_id, credential.secret, (credential.scope,))


def token_endpoint(provider: Provider | Service) -> Upstream | None:
    """Where Envoy asks for tokens; None: it asks nobody."""
    if not isinstance(provider.credential, OAuthClient | EntraClient):
        return None
    return place(as_oauth(provider.credential).token_url).upstream(_TOKEN_SECONDS)


def token_cluster(upstream: Upstream) -> str:
    """The cluster of a token endpoint, which equal upstreams share."""
    endpoints = [f"{each.host}:{each.port}" for each in upstream.endpoints]
    seconds = upstream.connect_timeout_seconds
    return names.route_cluster(upstream.authority, endpoints, seconds, is_tls=upstream.is_tls)


def _injector(credential: Json, *, may_lack: bool = False) -> Json:
    """`may_lack`: that there is none yet is not for the injector to say: it would say 401."""
    return extension(
        names.CREDENTIAL_FILTER,
        "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        overwrite=True,
        **({"allow_request_without_credential": True} if may_lack else {}),
        credential=credential,
    )


def _generic(provider: Provider | Service, header: str, prefix: str) -> Json:
    return extension(
        "envoy.http.injected_credentials.generic",
        "envoy.extensions.http.injected_credentials.generic.v3.Generic",
        credential=_secret(provider),
        header=header,
        **({"header_value_prefix": prefix} if prefix else {}),
    )


def _oauth(secret: Json, client: OAuthClient) -> Json:
    upstream = place(client.token_url).upstream(_TOKEN_SECONDS)
    return extension(
        "envoy.http.injected_credentials.oauth2",
        "envoy.extensions.http.injected_credentials.oauth2.v3.OAuth2",
        token_endpoint={
            "uri": client.token_url,
            "cluster": token_cluster(upstream),
            "timeout": f"{_TOKEN_SECONDS:.0f}s",
        },
        scopes=list(client.scopes),
        client_credentials={
            "client_id": client.client_id,
            "client_secret": secret,
            "auth_type": _AUTH_TYPES[client.auth],
        },
        token_fetch_retry_interval=_TOKEN_RETRY,
    )


def secret_name(provider: Provider | Service) -> str:
    """Of the secret that its filter reads."""
    if isinstance(provider, Service):
        return names.service_secret(provider.name)
    return names.provider_secret(provider.name)


def _secret(provider: Provider | Service) -> Json:
    return {"name": secret_name(provider), "sds_config": ADS}


def _signing(credential: AwsCredential, authority: str) -> Json:
    source = _source(credential)
    return extension(
        names.CREDENTIAL_FILTER,
        "envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning",
        service_name=credential.service,
        region=credential.region,
        host_rewrite=authority,  # what the request will have, and has not yet
        match_excluded_headers=[{"prefix": "x-envoy-"}, *({"exact": each} for each in _UNSIGNED)],
        **({"credential_provider": source} if source else {}),
    )


def _source(credential: AwsCredential) -> Json | None:
    """Where keys come from; None: Envoy's usual chain."""
    source: Json | None = None
    if credential.access_key is not None:
        source = {
            "custom_credential_provider_chain": True,
            "inline_credential": {
                "access_key_id": credential.access_key,
                "secret_access_key": credential.secret_key,
                **({"session_token": credential.session_token} if credential.session_token else {}),
            },
        }
    if credential.role is None:
        return source
    assumed: Json = {"role_arn": credential.role, "role_session_name": _SESSION}
    if source is not None:
        assumed["credential_provider"] = source
    return {"custom_credential_provider_chain": True, "assume_role_credential_provider": assumed}


def _passing(credential: PassThrough) -> Json:
    lacking = "    return"
    if credential.is_required:
        said = f"no key for the provider: put one into the header {credential.header}"
        lacking = f'    handle:respond({{[":status"] = "401"}}, {lua_text(said)})\n    return'
    script = _PASS.format(
        lacking=lacking,
        namespace=lua_text(names.CLIENT_NAMESPACE),
        header=lua_text(credential.header),
        prefix=lua_text(credential.prefix),
        sent_as=lua_text(credential.sent_as),
    )
    return lua(names.CREDENTIAL_FILTER, script)
