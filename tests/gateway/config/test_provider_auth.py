from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.config.provider_auth import google_type
from gateway.config.sources import load_sources
from gateway.credentials import GcpCredential, StaticKey
from gateway.resolve import resolve
from tests.gateway.config.loading import complaints
from tests.gateway.config.writing import config_of, write


def complained(auth: str, type_: str = "openai") -> list[str]:
    found = complaints(f"llm: {{providers: {{p: {{type: {type_}, auth: {auth}}}}}}}")
    return [each.removeprefix("llm.providers.p.auth") for each in found]


@pytest.mark.parametrize(
    ("auth", "complaint"),
    [
        ("{type: api-key}", ": needs exactly one of key and file"),
        (
            "{type: api-key, key: hunter2, header: 'a b'}",
            ".header: must be the name of a header, not 'a b'",
        ),
        ("{type: aws, access_key: hunter2}", ": needs both of access_key and secret_key, or none"),
        ("{type: aws, session_token: hunter2}", ": has a session_token without an access_key"),
        ("{type: aws, role: me, region: r}", ".role: must be the arn of a role, not 'me'"),
        (
            "{type: gcp, credentials_json: 'hunter2'}",
            ".credentials_json: must be the JSON of one "
            "of Google's credentials: service_account, authorized_user, external_account",
        ),
        ("{type: oauth, token_url: 'http://a', client_id: a}", ".client_secret: is required"),
        (
            "{type: oauth, token_url: a, client_id: a, client_secret: hunter2}",
            ".token_url: must be an http or https url, not 'a'",
        ),
        (
            "{type: entra, client_secret: hunter2}",
            ": needs tenant and client_id beside the client_secret",
        ),
        ("{type: entra, tenant: t}", ": has a tenant without a client_secret"),
    ],
)
def test_half_a_credential_is_refused_and_not_shown(auth: str, complaint: str) -> None:
    assert complained(auth) == [complaint]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"type": "other"}', '{"type": 1}'])
def test_what_is_none_of_googles_credentials_has_no_type(text: str) -> None:
    assert google_type(text) == ""


def test_keys_and_credentials_are_read_from_files(tmp_path: Path) -> None:
    source = json.dumps({"type": "service_account"})
    (tmp_path / "key").write_text("hunter2\n")
    (tmp_path / "google.json").write_text(source)
    write(
        tmp_path,
        a="""
            llm:
              providers:
                a: {type: openai, auth: {type: api-key, file: key}}
                b: {type: openai, auth: {type: gcp, credentials: google.json}}
            """,
    )
    a, b = resolve(config_of(tmp_path / "a.yaml")).providers
    assert a.credential == StaticKey("authorization", "Bearer ", "hunter2")
    assert b.credential == GcpCredential(source)


def test_files_that_hold_no_credential_are_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("two words")
    write(
        tmp_path,
        a="""
            llm:
              providers:
                a: {type: openai, auth: {type: api-key, file: key}}
                b: {type: vertex, region: r, project: p, auth: {type: gcp, credentials: key}}
            """,
    )
    found = load_sources(tmp_path / "a.yaml", {}).problems
    assert [each.message for each in found] == [
        "has a file that is no key: printable ascii without spaces",
        "has a file that is none of Google's credentials: service_account, authorized_user,"
        " external_account",
    ]
    assert "two words" not in repr(found)
