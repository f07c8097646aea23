"""What issuers say of themselves is read where it is not written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.config.check import warnings
from gateway.config.discovery import no_metadata
from gateway.config.fetched import Documents, Form, Found, NotAsked, NotFetched, Wanted
from gateway.config.gathering import Content
from gateway.config.published import for_workers, published
from gateway.config.sources import Loaded, Loader
from gateway.identity import ClientAuth, Login
from gateway.resolve import resolve
from tests.kit.certificates import Authority

ISSUER = "https://idp.example/realms/one"
URL = f"{ISSUER}/.well-known/openid-configuration"
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://idp.example/a",
    "token_endpoint": "https://idp.example/t",
    "end_session_endpoint": "https://idp.example/e",
    "jwks_uri": "https://keys.example/k",
}
LOGIN = f"issuer: '{ISSUER}', client: {{id: us, secret: hush}}"


class Says:
    """The same document wherever it is asked for."""

    def __init__(self, said: object) -> None:
        self.said = said
        self.asked: list[Wanted] = []

    def file(self, wanted: Wanted) -> Path | None:
        return None

    def accept(self, digests: Mapping[str, str]) -> None:
        raise AssertionError

    def fall_back(self) -> bool:
        raise AssertionError

    def read(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, Found]:
        self.asked += wanted
        if self.said is None:
            return dict.fromkeys(wanted, "cannot be fetched: no answer within 15 s")
        text = self.said if isinstance(self.said, str) else json.dumps(self.said)
        return dict.fromkeys(wanted, Content(text, "digest"))


def loaded(folder: Path, identity: str, documents: Documents) -> Loaded:
    file = folder / "gateway.yaml"
    file.write_text(f"identity:\n  required: true\n  {identity}\nroutes: []\n")
    return Loader(file, {}, documents=documents).load()


def staff(folder: Path, written: str = LOGIN, said: object = METADATA) -> Login:
    found = loaded(folder, f"logins: {{staff: {{{written}}}}}", Says(said))
    assert found.config is not None, found.problems
    [login] = resolve(found.config).identity.logins
    return login


def complaints(folder: Path, written: str, said: object) -> list[str]:
    found = loaded(folder, f"logins: {{staff: {{{written}}}}}", Says(said))
    assert all(each.line == 3 for each in found.problems)
    return [f"{each.path}: {each.message}" for each in found.problems]


def test_the_issuer_alone_is_enough(tmp_path: Path) -> None:
    login = staff(tmp_path)
    assert login.issuer.jwks_url == "https://keys.example/k"
    endpoints = login.endpoints
    assert (endpoints.authorization, endpoints.token) == (
        "https://idp.example/a",
        "https://idp.example/t",
    )
    assert endpoints.end_session == "https://idp.example/e"
    assert login.client_auth is ClientAuth.BASIC


def test_it_is_asked_below_the_issuer_unless_another_url_is_written(tmp_path: Path) -> None:
    ca = Authority().pem
    (tmp_path / "ca.pem").write_text(ca)
    documents = Says(METADATA)
    for more, wanted in (
        ("", Wanted(URL, (), 300.0, form=Form.DISCOVERY)),
        ("discovery: {refresh: 1m, ca: ca.pem}", Wanted(URL, (), 60.0, ca, Form.DISCOVERY)),
        (
            "discovery: {url: 'https://other.example/d'}",
            Wanted("https://other.example/d", (), 300.0, form=Form.DISCOVERY),
        ),
    ):
        found = loaded(tmp_path, f"logins: {{staff: {{{LOGIN}, {more}}}}}", documents)
        assert found.config is not None, found.problems
        assert found.wanted == (wanted,)
    assert resolve(found.config).identity.logins[0].endpoints.ca is None


def test_its_authorities_are_those_of_what_it_names(tmp_path: Path) -> None:
    ca = Authority().pem
    (tmp_path / "ca.pem").write_text(ca)
    login = staff(tmp_path, f"{LOGIN}, discovery: {{ca: ca.pem}}")
    assert (login.endpoints.ca, login.issuer.ca) == (ca, ca)


def test_what_is_written_counts(tmp_path: Path) -> None:
    endpoints = "endpoints: {authorization: 'https://x.example/a', token: 'https://x.example/t'}"
    login = staff(tmp_path, f"{LOGIN}, {endpoints}")
    assert login.endpoints.token == "https://x.example/t"
    assert login.issuer.jwks_url == "https://keys.example/k"
    whole = f"{LOGIN}, {endpoints}, jwks: {{url: 'https://x.example/k'}}"
    assert loaded(tmp_path, f"logins: {{staff: {{{whole}}}}}", Says(None)).wanted == ()


@pytest.mark.parametrize(
    ("methods", "written", "method"),
    [
        (["client_secret_post", "private_key_jwt"], "", ClientAuth.POST),
        (["client_secret_post", "client_secret_basic"], "", ClientAuth.BASIC),
        (["client_secret_post"], ", method: basic", ClientAuth.BASIC),
    ],
)
def test_the_client_shows_its_secret_as_the_issuer_takes_it(
    methods: list[str], written: str, method: ClientAuth, tmp_path: Path
) -> None:
    said = {**METADATA, "token_endpoint_auth_methods_supported": methods}
    login = f"issuer: '{ISSUER}', client: {{id: us, secret: hush{written}}}"
    assert staff(tmp_path, login, said).client_auth is method


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (None, f"discovery.url: '{URL}' cannot be fetched: no answer within 15 s"),
        ("<html>", f"staff: '{URL}' is no json object that names an issuer"),
        ({}, f"staff: '{URL}' is no json object that names an issuer"),
        ({**METADATA, "issuer": "https://b"}, "' is of another issuer, 'https://b'"),
        ({"issuer": ISSUER}, "' does not say its authorization_endpoint"),
        ({**METADATA, "jwks_uri": None}, "' does not say its jwks_uri"),
        ({**METADATA, "token_endpoint": "/t"}, "' has no url as its token_endpoint"),
        (
            {**METADATA, "jwks_uri": "http://idp.example/k"},
            "' has a url without tls as its jwks_uri",
        ),
        ({**METADATA, "end_session_endpoint": 7}, "' has no url as its end_session_endpoint"),
        (
            {**METADATA, "token_endpoint_auth_methods_supported": ["private_key_jwt"]},
            "has an issuer that takes neither client_secret_basic nor client_secret_post",
        ),
    ],
)
def test_what_cannot_be_used_is_a_problem_where_it_is_written(
    said: object, why: str, tmp_path: Path
) -> None:
    [problem] = complaints(tmp_path, LOGIN, said)
    assert problem.startswith("identity.logins.staff")
    assert why in problem


def test_an_issuer_that_is_no_url_is_asked_nothing(tmp_path: Path) -> None:
    [problem] = complaints(tmp_path, "issuer: us, client: {id: us, secret: hush}", METADATA)
    assert (
        "needs endpoints and jwks, or an issuer that is a url, where discovery can ask" in problem
    )


def test_issuers_of_tokens_say_where_their_keys_are(tmp_path: Path) -> None:
    written = f"jwt: [{{issuer: '{ISSUER}', audiences: [a]}}]"
    only_keys = {"issuer": ISSUER, "jwks_uri": "https://keys.example/k"}
    found = loaded(tmp_path, written, Says(only_keys))
    assert found.config is not None, found.problems
    [issuer] = resolve(found.config).identity.issuers
    assert issuer.jwks_url == "https://keys.example/k"
    [problem] = loaded(tmp_path, written, Says(None)).problems
    assert (problem.line, problem.path) == (3, "identity.jwt.0.discovery.url")
    assert "discovery" not in published(found.config) + for_workers(found.config)


def test_what_is_told_needs_no_document(tmp_path: Path) -> None:
    found = loaded(tmp_path, f"logins: {{staff: {{{LOGIN}}}}}", Says(METADATA))
    assert found.config is not None
    told = published(found.config)
    assert "discovery" not in told + for_workers(found.config)
    (tmp_path / "told.yaml").write_text(told)
    again = Loader(tmp_path / "told.yaml", {}, documents=NotFetched()).load()
    assert again.config is not None, again.problems
    one, other = (resolve(each).identity.logins[0] for each in (found.config, again.config))
    assert (one.endpoints, one.issuer) == (other.endpoints, other.issuer)


def test_who_asks_nobody_knows_no_endpoints_and_loads(tmp_path: Path) -> None:
    assert loaded(tmp_path, f"logins: {{staff: {{{LOGIN}}}}}", NotAsked()).config is not None
    [problem] = loaded(tmp_path, f"logins: {{staff: {{{LOGIN}}}}}", NotFetched()).problems
    assert "is not fetched here: write endpoints and jwks" in problem.message


def test_who_can_be_somebody_on_the_way_is_warned_of(tmp_path: Path) -> None:
    url = "discovery: {url: 'http://idp.example/d'}"
    jwt = f"jwt: [{{issuer: '{ISSUER}', audiences: [a], {url}}}]"
    text = f"identity: {{logins: {{staff: {{{LOGIN}, {url}}}}}, {jwt}}}"
    (tmp_path / "gateway.yaml").write_text(text)
    found = Loader(tmp_path / "gateway.yaml", {}, documents=Says(METADATA)).load()
    assert found.config is not None, found.problems
    warned = [each.path for each in warnings(found.config) if "fetched without tls" in each.message]
    assert sorted(warned) == ["identity.jwt.0.discovery.url", "identity.logins.staff.discovery.url"]


def test_a_page_of_an_outage_is_no_metadata() -> None:
    assert no_metadata(json.dumps(METADATA)) == ""
    assert no_metadata("<html>sorry</html>") == "it is no json object that names an issuer"
