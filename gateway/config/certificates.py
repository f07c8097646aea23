"""What is wrong with certificates and keys, before Envoy or a client finds out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from gateway.config.finding import Finding, Path
from gateway.config.issuers import IssuerBlock
from gateway.config.logins import LoginBlock
from gateway.config.referenced import FileText
from gateway.config.schema import Config
from gateway.config.tls import TlsBlock
from gateway.config.written import Written

SMALLEST_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")
SOON = timedelta(days=7)


def _of_issuer(at: Path, block: IssuerBlock | LoginBlock) -> Iterator[tuple[Path, FileText]]:
    """Those of its document are those of what the document names, too."""
    shared = None if block.discovery is None else block.discovery.ca
    if shared is not None:
        yield (*at, "discovery", "ca"), shared
    if block.jwks.ca is not None and block.jwks.ca is not shared:
        yield (*at, "jwks", "ca"), block.jwks.ca


def certificates_fit_their_keys(written: Written) -> Iterator[Finding]:
    """A listener with a broken certificate would be refused by Envoy, and with it the change."""
    for path, block in blocks(written.config):
        chain = _chain(block.cert.text)
        key = _key(block.key.text)
        if isinstance(chain, str):
            yield Finding((*path, "cert"), f"'{block.cert.path}' {chain}")
        if isinstance(key, str):
            yield Finding((*path, "key"), f"'{block.key.path}' {key}")
        if not isinstance(chain, str) and not isinstance(key, str) and not _belongs(chain[0], key):
            yield Finding(
                (*path, "key"),
                f"'{block.key.path}' is not the key of '{block.cert.path}'",
                "the chain begins with the certificate of the key",
            )
    for path, file in authorities(written.config):
        found = _chain(file.text)
        if isinstance(found, str):
            yield Finding(path, f"'{file.path}' {found}")


def dated_certificates(config: Config, now: datetime) -> Iterator[Finding]:
    """Certificates that are not valid now, or not for long."""
    for path, block in blocks(config):
        chain = _chain(block.cert.text)
        if isinstance(chain, str):
            continue
        own = chain[0]
        at = (*path, "cert")
        if own.not_valid_before_utc > now:
            yield Finding(at, f"'{block.cert.path}' is not valid before {own.not_valid_before_utc}")
        elif own.not_valid_after_utc < now:
            yield Finding(at, f"'{block.cert.path}' has expired on {own.not_valid_after_utc}")
        elif own.not_valid_after_utc < now + SOON:
            yield Finding(at, f"'{block.cert.path}' expires on {own.not_valid_after_utc}")


def blocks(config: Config) -> Iterator[tuple[Path, TlsBlock]]:
    """Every server that shows a certificate."""
    for name, gateway in config.gateways.items():
        if gateway.tls is not None:
            yield ("gateways", name, "tls"), gateway.tls
    if config.xds.tls is not None:
        yield ("xds", "tls"), config.xds.tls


def authorities(config: Config) -> Iterator[tuple[Path, FileText]]:
    """Every file of those who sign others' certificates."""
    for path, block in blocks(config):
        if block.client_ca is not None:
            yield (*path, "client_ca"), block.client_ca
    for name, provider in config.llm.providers.items():
        if provider.ca is not None:
            yield ("llm", "providers", name, "ca"), provider.ca
    for index, issuer in enumerate(config.identity.jwt):
        yield from _of_issuer(("identity", "jwt", index), issuer)
    for name, login in config.identity.logins.items():
        at: Path = ("identity", "logins", name)
        yield from _of_issuer(at, login)
        shared = None if login.discovery is None else login.discovery.ca
        if login.endpoints.ca is not None and login.endpoints.ca is not shared:
            yield (*at, "endpoints", "ca"), login.endpoints.ca
    for name, agent in config.a2a.agents.items():
        if agent.ca is not None:
            yield ("a2a", "agents", name, "ca"), agent.ca
        keys = None if agent.signatures is None else agent.signatures.jwks
        if keys is not None and keys.ca is not None:
            yield ("a2a", "agents", name, "signatures", "jwks", "ca"), keys.ca
    for name, service in config.external_authz.items():
        if service.ca is not None:
            yield ("external_authz", name, "ca"), service.ca
    asked = config.identity.introspection
    if asked is not None and asked.ca is not None:
        yield ("identity", "introspection", "ca"), asked.ca
    if asked is not None and asked.ca_inline is not None:
        yield ("identity", "introspection", "ca_inline"), FileText("this", asked.ca_inline)


def _chain(text: str) -> list[x509.Certificate] | str:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return "holds no certificate in pem, or a broken one"


def _key(text: str) -> PrivateKeyTypes | str:
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except TypeError:
        return "is an encrypted key: nobody could type the password"
    except (ValueError, UnsupportedAlgorithm):
        return "holds no private key in pem, or a broken one"
    if isinstance(key, rsa.RSAPrivateKey):
        is_taken = key.key_size >= SMALLEST_RSA_BITS
        return key if is_taken else f"is an rsa key of less than {SMALLEST_RSA_BITS} bits"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return key
    return "is a key that envoy does not take: rsa or ecdsa on p-256, p-384 or p-521"


def _belongs(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    one, other = (
        each.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for each in (certificate, key)
    )
    return one == other
