"""What Envoy can be asked, and why it cannot be asked the rest. That it says the same is tested by
real Envoys (`test_envoy_cel_envoy.py`)."""

from __future__ import annotations

import pytest

from xds_server.resources.envoy_cel import InPython, said_to_envoy
from xds_server.resources.extension import Json

CLAIMS = "metadata.filter_metadata.envoy.filters.http.jwt_authn.claims"


def shown(node: Json) -> str:
    """For people: members as members, the rest as calls."""
    ((kind, body),) = node.items()
    match kind:
        case "ident_expr":
            return str(body["name"])
        case "const_expr":
            ((_, value),) = body.items()
            return repr(value)
        case "select_expr":
            found = f"{shown(body['operand'])}.{body['field']}"
            return f"has({found})" if body.get("test_only") else found
        case "list_expr":
            return f"[{', '.join(map(shown, body['elements']))}]"
    args = ", ".join(map(shown, body["args"]))
    target = f"{shown(body['target'])}." if "target" in body else ""
    return f"{target}{body['function']}({args})"


def said(expression: str) -> str:
    found = said_to_envoy(expression, "app")
    return f"stays: {found.reason}" if isinstance(found, InPython) else shown(found)


@pytest.mark.parametrize(
    ("expression", "envoys"),
    [
        ('request.method == "GET"', "_==_(request.method, 'GET')"),
        ('request.path == "/a"', "_==_(request.url_path, '/a')"),
        ('request.query != ""', "_!=_(request.query, '')"),
        ('request.headers["x-a"] == "b"', "_==_(_[_](request.headers, 'x-a'), 'b')"),
        (
            'request.headers.cookie.unredacted() == "b"',
            "_==_(_[_](request.headers, 'cookie'), 'b')",
        ),
        ("has(request.headers.cookie)", "@in('cookie', request.headers)"),
        ('"x-a" in request.headers', "@in('x-a', request.headers)"),
        ('int(request.headers["x-a"]) > 3', "_>_(int(_[_](request.headers, 'x-a')), '3')"),
        ('jwt.org.team == "red"', f"_==_({CLAIMS}.org.team, 'red')"),
        ('jwt["n/s"] == "red"', f"_==_(_[_]({CLAIMS}, 'n/s'), 'red')"),
        ("has(jwt.plan)", f"has({CLAIMS}.plan)"),
        ('"plan" in jwt', f"@in('plan', {CLAIMS})"),
        ('"a" in jwt.roles', f"@in('a', {CLAIMS}.roles)"),
        ("jwt.level >= 2.5", f"_>=_({CLAIMS}.level, 2.5)"),
        ("size(jwt.roles) > 1", f"_>_(size({CLAIMS}.roles), '1')"),
        ('resource.name == "app" && true', "_&&_(_==_('app', 'app'), True)"),
        ("context.request_time.getHours() < 6", "_<_(request.time.getHours(), '6')"),
        (
            'context.request_time < timestamp("2026-01-01T00:00:00Z")',
            "_<_(request.time, timestamp('2026-01-01T00:00:00Z'))",
        ),
        ('source.address == "10.0.0.1"', "source.address.startsWith('10.0.0.1:')"),
        ('source.address != "::1"', "!_(source.address.startsWith('[::1]:'))"),
        (
            'source.address in ["10.0.0.1", "::1"]',
            "_||_(source.address.startsWith('10.0.0.1:'), source.address.startsWith('[::1]:'))",
        ),
        (
            'source.address.startsWith("10.")',
            "_||_(source.address.startsWith('10.'), source.address.startsWith('[10.'))",
        ),
    ],
)
def test_what_envoy_knows_is_said_in_its_words(expression: str, envoys: str) -> None:
    assert said(expression) == envoys


def test_what_a_certificate_does_not_say_is_an_error() -> None:
    """No client can send the header."""
    subject, never = (
        "connection.subject_peer_certificate",
        "_[_](request.headers, 'x-dragoman-never')",
    )
    there = f"_&&_(has({subject}), _!=_({subject}, ''))"
    assert said('source.subject == "a"') == f"_==_(_?_:_({there}, {subject}, {never}), 'a')"
    identity = said('source.identity == "a"')
    assert identity.index("uri_san_peer_certificate") < identity.index("dns_san_peer_certificate")
    assert identity.endswith(f"{never})), 'a')")


def test_a_pattern_is_looked_for_where_there_is_a_text() -> None:
    text = f"{CLAIMS}.sub"
    assert said("jwt.sub.matches('^a')") == (
        f"_?_:_({text}.startsWith(''), {text}.matches('^a'), False)"
    )
    header = "_[_](request.headers, 'x-a')"
    assert f"_?_:_({header}.matches('^[" in said("request.headers['x-a'].matches('^a')")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ('principal.team == "red"', "reads principal.team"),
        ('apiKey.name == "a"', "reads apiKey.name"),
        ("context.request_time.getHours('Europe/Berlin') < 6", "calls getHours"),
        ("timestamp(request.query) > context.request_time", "makes a time of what is no constant"),
        ("size(request.headers) > 3", "asks for the size of what is no claim"),
        ('request.headers == {"a": "b"}', "reads request.headers as a whole"),
        ("request.headers[request.method] == 'a'", "reads a header that the request names"),
        ("request.headers['host'] == 'a'", "reads the header host"),
        ("request.headers[':path'] == 'a'", "reads the header :path"),
        ("request.headers['x-dragoman-claims'] == 'a'", "reads the header x-dragoman-claims"),
        ("jwt.roles.exists(each, each == 'a')", "goes through a list or a map"),
        ("[request.method] == ['a']", "makes a list or a map"),
        ("request.path.lowerAscii() == '/a'", "calls lowerAscii"),
        ("request.path + 'a' == '/a'", "calls +"),
        ("request.method.matches(request.path)", "looks for a pattern that is no constant"),
        ("request.path.matches('a{99}')", "looks for a pattern that is too large for Envoy"),
        ("request.path == '\ufffd'", "looks for what stands for bytes that are no text"),
        ("jwt.plan == null", "has a constant that is no text, bool, int or double"),
        ("jwt.roles[jwt.place] == 'a'", "looks up in a claim what is neither a text nor a place"),
        ("request.method in [request.path]", "makes a list of what are no constants"),
        ("source.address.endsWith('1')", "asks of source.address what Envoy cannot:"),
        ("cidr('::/0').containsIP(source.address)", "looks for ::/0, whose addresses have no"),
        ("int(jwt.level) > 3", "makes a number of what is no header"),
        ("resource.namespace == 'a'", "reads resource.namespace"),
    ],
)
def test_the_rest_stays_in_python_for_a_reason(expression: str, reason: str) -> None:
    assert said(expression).startswith(f"stays: {reason}")


@pytest.mark.parametrize(
    "expression",
    [
        "jwt.id == jwt.other",
        "jwt.id == 9007199254740992",
        "jwt.id in [9007199254740992]",
        "jwt.id > -9007199254740992.0",
        "jwt.id in jwt.list",
        "jwt.id == int(request.headers['x-a'])",
        "9007199254740992 in jwt.list",
        "(request.method == 'GET' ? jwt.id : jwt.other) == jwt.id",
    ],
)
def test_numbers_that_are_not_exact_there_stay_in_python(expression: str) -> None:
    """Claims are doubles in Envoy."""
    assert "exact in Envoy" in said(expression)
