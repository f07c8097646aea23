"""What is told who may not come in to MCP servers, or not do all there."""

from __future__ import annotations

import pytest

from extproc.facts import McpCall
from extproc.mcp.protection import Protection, granted, protection
from extproc.principal import Kind, Principal
from extproc.verdict import Deny
from gateway.identity import Identity, Issuer
from gateway.mcp import Mcp, McpAuth, McpScopes, McpView

SCOPES = McpScopes(
    ("mcp",), (("a", ("a:use",)),), (("b", ("b:all",)),), (("a", "x_*", ("a:x", "a:y")),)
)
URL = "https://gw"
METADATA = f'resource_metadata="{URL}/.well-known/oauth-protected-resource/mcp/a"'
VIEWS = (McpView("", ("a", "b"), True), McpView("a", ("a",), False))
IDENTITY = Identity(issuers=(Issuer("https://idp", ("agents",)),))


def of(*, is_required: bool = True) -> Protection:
    auth = McpAuth(URL, ("https://idp",), is_required=is_required, scopes=SCOPES)
    found = protection(Mcp(views=VIEWS, auth=auth), IDENTITY)
    assert found is not None
    return found


def holder(scope: object, audience: object = f"{URL}/mcp/a") -> Principal:
    return Principal(Kind.JWT, "ann", claims={"aud": audience, "scope": scope})


def challenge(deny: Deny | None) -> str:
    assert deny is not None
    ((name, said),) = deny.headers
    assert name == "www-authenticate"
    return said


def test_without_auth_there_is_none() -> None:
    assert protection(Mcp(views=VIEWS), IDENTITY) is None


@pytest.mark.parametrize(
    ("code", "header", "said"),
    [
        ("missing_credential", "Bearer", f'Bearer scope="mcp a:use", {METADATA}'),
        (
            "invalid_token",
            'Bearer error="invalid_token"',
            f'Bearer error="invalid_token", scope="mcp a:use", {METADATA}',
        ),
        (
            "missing_credential",
            'Bearer, Basic realm="x", charset="UTF-8"',
            f'Bearer scope="mcp a:use", {METADATA}, Basic realm="x", charset="UTF-8"',
        ),
    ],
)
def test_who_is_not_known_is_told_where_to_get_a_token(code: str, header: str, said: str) -> None:
    deny = Deny(401, code, "why", headers=(("www-authenticate", header),))
    assert challenge(of().challenged(deny, "a")) == said
    assert of().challenged(deny, "a").reason == "why"


def test_other_refusals_stay_as_they_are() -> None:
    deny = Deny(503, "keys_unavailable", "why")
    assert of().challenged(deny, "a") is deny


@pytest.mark.parametrize("audience", ["agents", f"{URL}/mcp/a", f"{URL}/mcp", URL, ["x", URL]])
def test_a_token_is_for_the_resource(audience: object) -> None:
    assert of().admitted(holder("mcp a:use", audience), "a", is_modern=True) is None


@pytest.mark.parametrize("audience", ["", None, [], f"{URL}/mcp/b", [1], {"a": URL}])
def test_another_is_not(audience: object) -> None:
    deny = of().admitted(holder("mcp a:use", audience), "a", is_modern=True)
    assert deny is not None
    assert (deny.status, deny.code) == (401, "invalid_token")
    assert METADATA in challenge(deny)


def test_a_part_is_not_the_whole() -> None:
    assert of().admitted(holder("mcp", f"{URL}/mcp/a"), "", is_modern=True) is not None


@pytest.mark.parametrize("is_modern", [True, False])
def test_clients_are_asked_for_what_is_missing_and_before_2026_for_what_they_have(
    is_modern: bool,
) -> None:
    """The newest add to what they have; others ask for what they are told."""
    call = McpCall("tools/call", "a", tool="x_1", view="a")
    who = holder("mcp a:use b:all profile")
    assert of().admitted(who, "a", is_modern=is_modern) is None
    deny = of().permitted(who, call, is_modern=is_modern)
    assert deny is not None
    assert (deny.status, deny.code) == (403, "insufficient_scope")
    assert deny.reason == "the token lacks the scope 'a:x a:y'"
    wanted = "mcp a:use a:x a:y" if is_modern else "a:use b:all mcp a:x a:y"
    expected = f'Bearer error="insufficient_scope", scope="{wanted}", {METADATA}'
    assert challenge(deny) == expected
    assert of().permitted(holder("mcp a:use a:x a:y"), call, is_modern=is_modern) is None


@pytest.mark.parametrize(
    ("call", "is_free"),
    [
        (McpCall("tools/list", view=""), True),
        (McpCall("tools/call", "a", tool="y", view=""), True),
        (McpCall("tools/call", "a", tool="x_", view=""), False),
        (McpCall("prompts/get", "a", prompt="x_1", view=""), True),
        (McpCall("prompts/get", "b", prompt="p", view=""), False),
        (McpCall("tools/call", "b", tool="x_1", view=""), False),
    ],
)
def test_scopes_are_of_what_is_asked_for(call: McpCall, is_free: bool) -> None:
    assert (of().permitted(holder("mcp"), call, is_modern=True) is None) is is_free


def test_who_came_in_by_a_key_has_no_scopes() -> None:
    deny = of().admitted(Principal(Kind.API_KEY, "bob"), "a", is_modern=True)
    assert deny is not None
    assert deny.code == "insufficient_scope"


def test_who_is_nobody_is_asked_for_a_token_where_one_is_needed() -> None:
    deny = of(is_required=False).admitted(None, "a", is_modern=True)
    assert deny is not None
    assert (deny.status, deny.code) == (401, "missing_credential")
    assert challenge(deny) == f'Bearer scope="mcp a:use", {METADATA}'


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        (None, set()),
        ({}, set()),
        ({"scope": "a b"}, {"a", "b"}),
        ({"scp": ["a", "b"]}, {"a", "b"}),
        ({"scp": "a b", "scope": ["c d"]}, {"a", "b", "c", "d"}),
        ({"scope": 7, "scp": {"a": 1}}, set()),
        ({"scope": [1, "a"]}, {"a"}),
    ],
)
def test_scopes_are_read_in_each_form(claims: dict[str, object] | None, scopes: set[str]) -> None:
    assert granted(claims) == scopes
