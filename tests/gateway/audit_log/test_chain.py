"""Whatever is done to lines that were written shows."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit_log.chain import (
    NO_KEYS,
    START,
    Check,
    Flaw,
    Head,
    Link,
    head_line,
    head_of,
    link_of,
    linked,
)
from gateway.audit_log.sealing import SealingKey, by_id

texts = st.text(max_size=6)
records = st.lists(st.dictionaries(st.sampled_from(["who", "what"]), texts), min_size=2, max_size=8)


KEY, OTHER = SealingKey(b"k" * 32), SealingKey(b"o" * 32)
KEYS = by_id([KEY])


def written(
    said: list[dict[str, str]], key: SealingKey | None = None, after: Link = START
) -> tuple[list[bytes], Link]:
    lines, link = [], after
    for record in said:
        line, link = linked("w", link, record, key)
        lines.append(line)
    return lines, link


def flaws(
    lines: list[bytes],
    head: Link | None,
    keys: Mapping[str, SealingKey] = NO_KEYS,
    sealed_head: Head | None = None,
) -> list[Flaw]:
    check = Check("w", keys=keys)
    if head is not None:
        check.watch(head.seq)
    found = [flaw for at, line in enumerate(lines, 1) for flaw in check.feed("f", at, line)]
    return found + check.end("h", sealed_head or (None if head is None else Head(head)))


def sealed(link: Link, key: SealingKey = KEY) -> Head:
    head = head_of(head_line(link, key))
    assert head is not None
    return head


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
    assert head_of(head_line(link)) == Head(link)
    assert len(head_line(link)) == len(head_line(START))
    assert sealed(link).link == link
    assert sealed(link).is_right(KEY)
    assert not sealed(link).is_right(OTHER)
    assert not sealed(link)._replace(link=Link(link.seq + 1, link.digest)).is_right(KEY)
    assert len(head_line(link, KEY)) == len(head_line(START, OTHER))


def test_what_is_left_of_a_longer_head_is_passed_over() -> None:
    longer, shorter = head_line(Link(7, "ab" * 32), KEY), head_line(Link(8, "cd" * 32))
    assert head_of(shorter + longer[len(shorter) :]) == Head(Link(8, "cd" * 32))


@pytest.mark.parametrize("text", [b"", b"7", b"x " + b"0" * 64, b"00000000000000000007 abc\n"])
def test_what_is_no_head_is_none(text: bytes) -> None:
    assert head_of(text) is None


@given(records)
def test_what_was_sealed_is_found_as_it_is(said: list[dict[str, str]]) -> None:
    lines, link = written(said, KEY)
    assert flaws(lines, link, KEYS, sealed(link)) == []
    assert flaws(lines, link) == [], "without the key, the chain alone is looked at"
    assert all(json.loads(line)["sealed_by"] == KEY.id for line in lines)


@given(records, st.data(), st.sampled_from([None, OTHER]))
def test_who_has_no_key_can_write_no_record_anew(
    said: list[dict[str, str]], data: st.DataObject, key: SealingKey | None
) -> None:
    """Although they write all that follows, and the head, as a chain must be."""
    lines, _ = written(said, KEY)
    at = data.draw(st.integers(0, len(lines) - 1))
    after = START if not at else link_of(lines[at - 1][:-1])
    assert after is not None
    forged, end = written([*said[at:-1], {"who": "eve"}], key, after)
    lines[at:] = forged
    assert flaws(lines, end) == [], "it is a chain"
    head = Head(end) if key is None else sealed(end, key)
    assert flaws(lines, end, KEYS, head)


@given(records, st.data())
def test_nor_the_contents_of_one_that_has_a_seal(
    said: list[dict[str, str]], data: st.DataObject
) -> None:
    lines, link = written(said, KEY)
    at = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(st.text(max_size=6))
    record = json.loads(lines[at])
    if record.get("who", "") == other:
        return
    record["who"] = other
    lines[at] = json.dumps(record).encode() + b"\n"
    assert "has a seal that its key did not make" in {
        flaw.what for flaw in flaws(lines, link, KEYS, sealed(link))
    }


@given(records)
def test_nor_cut_it_and_write_the_head(said: list[dict[str, str]]) -> None:
    lines, link = written(said, KEY)
    kept, end = lines[:-1], link_of(lines[-2][:-1])
    assert end is not None
    for head in (Head(end), sealed(end, OTHER), Head(end, KEY.id, sealed(link).seal)):
        (flaw,) = flaws(kept, end, KEYS, head)
        assert flaw.what == "the head has no seal of a key that was given"


@given(records, records)
def test_seals_may_begin_later_and_hold_what_came_before(
    early: list[dict[str, str]], late: list[dict[str, str]]
) -> None:
    before, link = written(early)
    after, end = written(late, KEY, link)
    assert flaws([*before, *after], end, KEYS, sealed(end)) == []
    other, _ = written([*early[:-1], {"who": "eve!!!!"}])
    assert flaws([*other, *after], end, KEYS, sealed(end))


@given(records, records)
def test_another_key_may_follow(first: list[dict[str, str]], second: list[dict[str, str]]) -> None:
    before, link = written(first, OTHER)
    after, end = written(second, KEY, link)
    lines = [*before, *after]
    assert flaws(lines, end, by_id([KEY, OTHER]), sealed(end)) == []
    assert {flaw.what for flaw in flaws(lines, end, KEYS, sealed(end))} == {
        f"is sealed by a key that was not given: {OTHER.id}"
    }


@given(records, records)
def test_that_seals_have_ended_is_found(
    first: list[dict[str, str]], second: list[dict[str, str]]
) -> None:
    before, link = written(first, KEY)
    after, end = written(second, None, link)
    found = [flaw.what for flaw in flaws([*before, *after], end, KEYS, Head(end))]
    assert found == [
        *["has no seal, and records before it have one"] * len(second),
        f"record {end.seq}, the last one, has no seal",
    ]
