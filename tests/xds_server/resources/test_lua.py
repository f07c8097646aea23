from __future__ import annotations

import pytest

from xds_server.resources.lua import lua, lua_text


def test_a_filter_has_its_script() -> None:
    made = lua("dragoman.path", "return")
    assert made["name"] == "dragoman.path"
    assert made["typed_config"]["default_source_code"] == {"inline_string": "return"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain", '"plain"'),
        ('a "quote" and a \\', '"a \\"quote\\" and a \\\\"'),
        ("two\nlines\t", '"two\\nlines\\t"'),
        ("ä 😀", '"ä 😀"'),
    ],
)
def test_a_text_cannot_leave_its_quotes(text: str, said: str) -> None:
    assert lua_text(text) == said
