from __future__ import annotations

import re
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp.uri_templates import UriTemplate


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("file:///{path}", "file:///a.txt"),
        ("file:///{+path}", "file:///a/b/c.txt"),
        ("file:///{path}", "file:///"),
        ("db://{table}/{id}", "db://users/5"),
        ("db://{table}{?limit,offset}", "db://users?limit=5&offset=2"),
        ("db://{table}{?limit,offset}", "db://users"),
        ("db://x?fixed=yes{&x}", "db://x?fixed=yes&x=1024"),
        ("doc://a{#section}", "doc://a#top/x"),
        ("doc://a{.format}", "doc://a.json"),
        ("doc://a{/path,name}", "doc://a/b/c"),
        ("doc://a{;x,y}", "doc://a;x=1;y=2"),
        ("doc://{list*}", "doc://a,b,c"),
        ("doc://{name:3}", "doc://abc"),
        ("test://static", "test://static"),
        ("a.b://(x)+{y}", "a.b://(x)+1"),
        ("test://{x}", "test://caf%C3%A9"),
        ("test://{+x}", "test://a\nb"),
    ],
)
def test_a_uri_comes_of_its_template(template: str, uri: str) -> None:
    assert UriTemplate(template).matches(uri)


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        ("file:///{path}", "file:///a/b"),
        ("file:///{path}", "xfile:///a"),
        ("file:///{path}", "file://a"),
        ("db://{table}/{id}", "db://users"),
        ("db://{table}{?limit}", "db://users/5?limit=1"),
        ("a.b://{x}", "aXb://1"),
        ("test://static", "test://static2"),
        ("test://{x", "test://1"),
        ("test://{x}}", "test://1"),
        ("test://{}", "test://1"),
        ("test://{!x}", "test://1"),
        ("test://{" + "x" * 3000 + "}", "test://1"),
        ("test://" + "{x}" * 40, "test://1"),
    ],
)
def test_a_uri_comes_of_no_other_template(template: str, uri: str) -> None:
    assert not UriTemplate(template).matches(uri)


def test_of_two_templates_the_longer_says_more() -> None:
    logs, files = UriTemplate("file:///logs/{name}"), UriTemplate("file:///{+path}")
    assert logs.literal_length > files.literal_length


def test_no_template_and_no_uri_takes_long() -> None:
    template = UriTemplate("a://" + "{+x}a" * 30)
    started = time.process_time()
    assert not template.matches("a://" + "a" * 5000 + "!")
    assert time.process_time() - started < 1


OPERATORS = {
    "": ("", ",", False, ""),
    "+": ("", ",", False, "/?#[]:@!$&'()*+,;="),
    "#": ("#", ",", False, "/?#[]:@!$&'()*+,;="),
    ".": (".", ".", False, ""),
    "/": ("/", "/", False, ""),
    ";": (";", ";", True, ""),
    "?": ("?", "&", True, ""),
    "&": ("&", "&", True, ""),
}
"""RFC 6570 §3.2: first, between, whether names are told, and what stays as it is."""


def expanded(template: str, values: dict[str, str]) -> str:
    def of(found: re.Match[str]) -> str:
        first, between, is_named, reserved = OPERATORS[found[1]]
        said = []
        for name in found[2].split(","):
            if name in values:
                value = quote(values[name], safe=reserved + "~")
                said.append(f"{name}={value}" if is_named else value)
        return first + between.join(said) if said else ""

    return re.sub(r"\{([+#./;?&]?)([a-z,]+)\}", of, template)


_parts = st.one_of(
    st.sampled_from(["a/", "x.y", "(", "+", "-", "?q=1", "%20", "é"]),
    st.builds(
        lambda operator, names: f"{{{operator}{','.join(names)}}}",
        st.sampled_from(sorted(OPERATORS)),
        st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True),
    ),
)


@given(st.lists(_parts, max_size=5), st.dictionaries(st.sampled_from("abc"), st.text()))
def test_whatever_a_template_expands_to_comes_of_it(
    parts: list[str], values: dict[str, str]
) -> None:
    template = "s://" + "".join(parts)
    assert UriTemplate(template).matches(expanded(template, values))
