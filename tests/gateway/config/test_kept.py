"""What is kept from one reading to the next never shows, but in the time that it takes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.document import read
from gateway.config.kept import KeptBlocks
from gateway.config.routes import RouteBlock
from gateway.config.schema import Config
from gateway.config.sources import Loader, load_sources
from gateway.resolve import Resolver, resolve


def document(*routes: str) -> dict[str, list[object]]:
    value = read(f"routes: [{', '.join(routes)}]\nadmin: {{}}\n", {}).value
    assert isinstance(value, dict)
    return value


A, B = "{name: a, backend: 'http://a'}", "{name: b, backend: 'http://b'}"
WRONG = "{name: c, backnd: 'http://c'}"


def test_an_item_is_the_same_block_for_as_long_as_it_is_the_same_object() -> None:
    kept, first = KeptBlocks(), document(A, B)
    before = kept.put_in(first)
    again = kept.put_in({"routes": [*document(A)["routes"], first["routes"][1]]})
    assert isinstance(before, dict)
    assert isinstance(again, dict)
    assert isinstance(before["routes"][0], RouteBlock)
    assert before == again | {"admin": {}}
    assert again["routes"][0] is not before["routes"][0]
    assert again["routes"][1] is before["routes"][1]


def test_what_is_wrong_stays_as_it_was_written() -> None:
    value = document(A, WRONG)
    put = KeptBlocks().put_in(value)
    assert isinstance(put, dict)
    assert put["routes"][1] is value["routes"][1]
    assert put["admin"] is value["admin"]


def test_what_is_no_document_is_left_alone() -> None:
    kept = KeptBlocks()
    for value in (None, 3, {"routes": 3}, {"routes": [3, None, []]}, {"include": ["a"], "x": [1]}):
        assert kept.put_in(value) == value


ITEMS = (
    A,
    B,
    "{name: a, backend: 'http://a', timeout: 5s}",
    "{name: d, backends: [{url: 'http://d'}], auth: key}",
    "{name: e, backend: 'http://e', gateways: [g]}",
    WRONG,
    "{name: ${UNSET}, backend: 'http://f'}",
)
HEADS = (
    "gateways: {g: {port: 1}}",
    "gateways: {g: {port: 1}, h: {port: 2}}",
    "identity: {required: true}",
    "authorize: [{name: x, for: {route: a}, allow: 'true'}]",
    "authorize: [{name: x, allow: 'tru'}]",
)
FILES = st.tuples(st.sampled_from(HEADS), st.lists(st.sampled_from(ITEMS), max_size=3))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), FILES, max_size=3), max_size=5))
def test_whatever_changes_it_means_what_it_would_mean_anew(
    changes: list[dict[str, tuple[str, list[str]]]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, loader, resolver = Path(name), Loader(Path(name), {}), Resolver()
        for files in changes:
            for file, (head, routes) in files.items():
                text = f"{head}\nroutes: [{', '.join(routes)}]\n"
                (folder / f"{file}.yaml").write_text(text)
            kept, anew = loader.load(), load_sources(folder, {})
            assert (kept.config, kept.problems) == (anew.config, anew.problems)
            if isinstance(kept.config, Config):
                assert anew.config is not None
                assert resolver.resolve(kept.config) == resolve(anew.config)
