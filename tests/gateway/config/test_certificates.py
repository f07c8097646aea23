from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.config.check import warnings
from gateway.config.sources import load_sources
from gateway.resolve import resolve
from tests.gateway.config.writing import config_of, said, write
from tests.kit.certificates import DAY, Authority

AUTHORITY = Authority()
PKCS8 = PrivateFormat.PKCS8


def folder(tmp_path: Path, cert: str, key: str, ca: str = AUTHORITY.pem) -> Path:
    (tmp_path / "c.pem").write_text(cert)
    (tmp_path / "k.pem").write_text(key)
    (tmp_path / "ca.pem").write_text(ca)
    text = "gateways: {d: {port: 1, tls: {cert: c.pem, key: k.pem, client_ca: ca.pem}}}"
    return write(tmp_path, a=text) / "a.yaml"


def complaints(path: Path) -> list[str]:
    found = said(load_sources(path, {}), path.parent)
    return [each.removeprefix("a.yaml:1: gateways.d.tls.") for each in found]


def test_a_pair_that_fits_is_no_problem(tmp_path: Path) -> None:
    assert complaints(folder(tmp_path, *AUTHORITY.server())) == []


def test_the_chain_begins_with_the_certificate_of_the_key(tmp_path: Path) -> None:
    (cert, key), (other, _) = AUTHORITY.server(), AUTHORITY.server()
    assert complaints(folder(tmp_path, cert + AUTHORITY.pem, key)) == []
    expected = [
        "key: 'k.pem' is not the key of 'c.pem' (the chain begins with the certificate of the key)"
    ]
    assert complaints(folder(tmp_path, AUTHORITY.pem + cert, key)) == expected
    assert complaints(folder(tmp_path, other, key)) == expected


def test_files_of_another_kind_are_told(tmp_path: Path) -> None:
    cert, key = AUTHORITY.server()
    assert complaints(folder(tmp_path, key, cert, "")) == [
        "cert: 'c.pem' holds no certificate in pem, or a broken one",
        "client_ca: 'ca.pem' holds no certificate in pem, or a broken one",
        "key: 'k.pem' holds no private key in pem, or a broken one",
    ]
    half = cert[: len(cert) // 2]
    assert complaints(folder(tmp_path, half, key)) == [
        "cert: 'c.pem' holds no certificate in pem, or a broken one"
    ]


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        (
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                Encoding.PEM, PKCS8, BestAvailableEncryption(b"hunter2")
            ),
            "is an encrypted key: nobody could type the password",
        ),
        (
            rsa.generate_private_key(65537, 1024).private_bytes(
                Encoding.PEM, PKCS8, NoEncryption()
            ),
            "is an rsa key of less than 2048 bits",
        ),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PKCS8, NoEncryption()),
            "is a key that envoy does not take: rsa or ecdsa on p-256, p-384 or p-521",
        ),
    ],
    ids=["encrypted", "short", "other"],
)
def test_keys_that_cannot_be_used_are_told(tmp_path: Path, key: bytes, complaint: str) -> None:
    cert, _ = AUTHORITY.server()
    assert complaints(folder(tmp_path, cert, key.decode())) == [f"key: 'k.pem' {complaint}"]


def test_a_certificate_out_of_its_time_is_a_warning(tmp_path: Path) -> None:
    config = config_of(folder(tmp_path, *AUTHORITY.server()))
    now = datetime.now(UTC)

    def messages(when: datetime) -> list[str]:
        return [
            each.message for each in warnings(config, when) if each.path == "gateways.d.tls.cert"
        ]

    assert messages(now)[0].startswith("'c.pem' expires on ")
    assert messages(now + 2 * DAY)[0].startswith("'c.pem' has expired on ")
    assert messages(now - 2 * DAY)[0].startswith("'c.pem' is not valid before ")
    assert messages(now - timedelta(hours=1))[0].startswith("'c.pem' expires on ")


def test_a_provider_may_have_authorities_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(AUTHORITY.pem)
    (tmp_path / "no.pem").write_text("nothing")
    providers = "good: {type: openai, ca: ca.pem}, bad: {type: openai, ca: no.pem}"
    write(tmp_path, a=f"llm: {{providers: {{{providers}}}}}")
    assert said(load_sources(tmp_path / "a.yaml", {}), tmp_path) == [
        "a.yaml:1: llm.providers.bad.ca: 'no.pem' holds no certificate in pem, or a broken one"
    ]
    write(tmp_path, a="llm: {providers: {good: {type: openai, ca: ca.pem}}}")
    (provider,) = resolve(config_of(tmp_path / "a.yaml")).providers
    assert provider.upstream.ca == AUTHORITY.pem


def test_authorities_without_tls_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(AUTHORITY.pem)
    write(tmp_path, a="llm: {providers: {p: {type: vllm, pool: ['a:1'], ca: ca.pem}}}")
    assert said(load_sources(tmp_path / "a.yaml", {}), tmp_path) == [
        "a.yaml:1: llm.providers.p: has a ca, and no https url"
    ]
