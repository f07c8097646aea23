"""Whatever is done to lines that were written shows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit_log.chain import START, Check, Flaw, Link, head_line, head_of, link_of, linked

texts = st.text(max_size=6)
records = st.lists(st.dictionaries(st.sampled_from(["who", "what"]), texts), min_size=2, max_size=8)


def written(said: list[dict[str, str]]) -> tuple[list[bytes], Link]:
    lines, link = [], START
    for record in said:
        line, link = linked("w", link, record)
        lines.append(line)
    return lines, link


def flaws(lines: list[bytes], head: Link | None) -> list[Flaw]:
    check = Check("w")
    if head is not None:
        check.watch(head.seq)
    found = [flaw for at, line in enumerate(lines, 1) for flaw in check.feed("f", at, line)]
    return found + check.end("h", head)


@given(records)
def test_what_was_written_is_found_as_it_is(said: list[dict[str, str]]) -> None:
    lines, head = written(said)
    assert flaws(lines, head) == []
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, len(said) + 1))


@given(records, st.data())
def test_a_record_that_is_changed_is_found(said: list[dict[str, str]], data: st.DataObject) -> None:
    lines, head = written(said)
    at = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[at]) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != lines[at][place]))
    lines[at] = lines[at][:place] + bytes([other]) + lines[at][place + 1 :]
    again = b"".join(lines).splitlines(keepends=True)
    assert flaws([each for each in again if each], head)


@given(records, st.data())
def test_a_record_that_is_taken_away_is_found(
    said: list[dict[str, str]], data: st.DataObject
) -> None:
    lines, head = written(said)
    del lines[data.draw(st.integers(0, len(lines) - 1))]
    assert flaws(lines, head)


@given(records, st.data())
def test_a_record_that_is_added_is_found(said: list[dict[str, str]], data: st.DataObject) -> None:
    lines, head = written(said)
    at = data.draw(st.integers(0, len(lines) - 1))
    after = START if not at else link_of(lines[at - 1][:-1])
    assert after is not None
    lines.insert(at, linked("w", after, {"who": "eve"})[0])
    assert flaws(lines, head)


@given(records, st.data())
def test_another_order_is_found(said: list[dict[str, str]], data: st.DataObject) -> None:
    lines, head = written(said)
    order = data.draw(st.permutations(range(len(lines))).filter(lambda each: each != sorted(each)))
    assert flaws([lines[at] for at in order], head)


@given(records, st.data())
def test_a_chain_that_is_cut_is_found(said: list[dict[str, str]], data: st.DataObject) -> None:
    lines, head = written(said)
    whole = b"".join(lines)
    kept = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert flaws(kept.splitlines(keepends=True), head)


@given(records, records)
def test_a_chain_that_is_written_anew_is_found(
    said: list[dict[str, str]], other: list[dict[str, str]]
) -> None:
    _, head = written(said)
    if other[: len(said)] != said:
        assert flaws(written(other)[0], head)


def test_records_of_another_chain_are_found() -> None:
    line, link = linked("v", START, {})
    assert "a record of the writer 'v'" in flaws([line], link)[0].what


def test_a_chain_without_a_head_is_found() -> None:
    lines, _ = written([{}, {}])
    assert [str(each) for each in flaws(lines, None)] == ["h: the chain has no head beside it"]


def test_a_head_may_be_behind() -> None:
    lines, _ = written([{"who": "a"}, {"who": "b"}])
    first = link_of(lines[0][:-1])
    assert first is not None
    assert flaws(lines, first) == []


@pytest.mark.parametrize("link", [START, Link(7, "ab" * 32), Link(10**18, "0f" * 32)])
def test_a_head_is_read_as_it_was_written(link: Link) -> None:
    assert head_of(head_line(link)) == link
    assert len(head_line(link)) == len(head_line(START))


@pytest.mark.parametrize("text", [b"", b"7", b"x " + b"0" * 64, b"00000000000000000007 abc\n"])
def test_what_is_no_head_is_none(text: bytes) -> None:
    assert head_of(text) is None
