"""Ways to access tokens of Microsoft Entra without a secret. Pure.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
https://learn.microsoft.com/entra/workload-id/workload-identity-federation
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from gateway.credentials import ENTRA_AUTHORITY, ManagedIdentity
from xds_server.tokens.words import Ask, NoToken, Read, Way, document, form, token

_MACHINE = "http://169.254.169.254/metadata/identity/oauth2/token"
_MACHINE_VERSION = "2018-02-01"
_SERVICE_VERSION = "2019-08-01"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def way(credential: ManagedIdentity, environment: Mapping[str, str]) -> Way:
    """By what Azure has put into the environment of the process."""
    file = environment.get("AZURE_FEDERATED_TOKEN_FILE")
    if file:
        return _of_workload(credential, file, environment)
    query = {"resource": credential.scope.removesuffix("/.default")}
    if credential.client_id is not None:
        query["client_id"] = credential.client_id
    endpoint, header = environment.get("IDENTITY_ENDPOINT"), environment.get("IDENTITY_HEADER")
    if endpoint and header:
        query["api-version"] = _SERVICE_VERSION
        return _asked(endpoint, query, ("x-identity-header", header))
    query["api-version"] = _MACHINE_VERSION
    host = environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", "").rstrip("/")
    url = f"{host}/metadata/identity/oauth2/token" if host else _MACHINE
    return _asked(url, query, ("metadata", "true"))


def _asked(url: str, query: Mapping[str, str], header: tuple[str, str]) -> Way:
    return token(document((yield Ask("GET", f"{url}?{urlencode(query)}", (header,)))))


def _of_workload(credential: ManagedIdentity, file: str, environment: Mapping[str, str]) -> Way:
    client = credential.client_id or environment.get("AZURE_CLIENT_ID")
    tenant = environment.get("AZURE_TENANT_ID")
    if not client or not tenant:
        raise NoToken("AZURE_TENANT_ID and AZURE_CLIENT_ID have to be set with a federated token")
    assertion = yield Read(file)
    authority = (environment.get("AZURE_AUTHORITY_HOST") or ENTRA_AUTHORITY).rstrip("/")
    fields = {
        "grant_type": "client_credentials",
        "client_id": client,
        "scope": credential.scope,
        "client_assertion_type": _ASSERTION,
        "client_assertion": assertion.decode("utf-8", "replace").strip(),
    }
    return token(document((yield form(f"{authority}/{tenant}/oauth2/v2.0/token", fields))))
