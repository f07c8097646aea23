from __future__ import annotations

from datetime import UTC, datetime

from extproc.facts import Facts
from extproc.policies.remote.texts import Reader, Writer, about, asking
from extproc.policies.remote.words import About, Said
from extproc.principal import Kind, Principal
from gateway.guards import Phase, TextScope

SYSTEM, USER = TextScope.SYSTEM, TextScope.USER
ABOUT = About("g", Phase.REQUEST)


def walk(over: Reader | Writer) -> list[str]:
    """As a dialect goes through a body."""
    over.at(SYSTEM)
    said = [over.text("be brief")]
    over.at(USER)
    pieces = over.across(["hel", "lo"])
    said += [over.text(piece) for piece in pieces]
    over.fixed("name")
    return said


def read() -> list[Said]:
    reader = Reader()
    walk(reader)
    return reader.texts


def test_texts_are_read_with_where_they_stand_apart_and_together() -> None:
    reader = Reader()
    walk(reader)
    assert reader.texts == [
        Said(SYSTEM, "be brief"),
        Said(USER, "hello"),
        Said(USER, "hel"),
        Said(USER, "lo"),
        Said(USER, "name"),
    ]


def test_texts_are_written_where_they_were_read() -> None:
    writer = Writer({0: "be long", 3: "p"}, read())
    assert walk(writer) == ["be long", "hel", "p"]
    assert writer.is_complete
    writer = Writer({4: "other"}, read())
    assert walk(writer) == ["be brief", "hel", "lo"]
    assert not writer.is_complete


def test_nothing_is_written_where_something_else_stands_than_was_read() -> None:
    said = read()
    for other in (said[1:], [*said, said[0]], [Said(SYSTEM, "x"), *said[1:]]):
        writer = Writer({3: "p"}, other)
        walk(writer)
        assert not writer.is_complete


def test_what_only_the_whole_shows_cannot_be_written_into_its_parts() -> None:
    writer = Writer({1: "help", 3: "p"}, read())
    assert walk(writer) == ["be brief", "hel", "p"]
    assert writer.is_complete
    writer = Writer({1: "[word]"}, read())
    walk(writer)
    assert not writer.is_complete


def test_a_guard_is_asked_about_what_it_reads_and_knows_the_place_again() -> None:
    said = [Said(SYSTEM, "a"), Said(USER, " "), Said(USER, "b"), Said(USER, "c")]
    made = asking(said, ABOUT, frozenset({USER}))
    assert made is not None
    assert made.question.texts == (Said(USER, "b"), Said(USER, "c"))
    writer = made.writer({1: "x"})
    assert [writer.text(each.text) for each in said] == ["a", " ", "b", "x"]
    assert writer.is_complete
    everything = asking(said, ABOUT, None)
    assert everything is not None
    assert len(everything.places) == 3
    assert asking(said, ABOUT, frozenset({TextScope.REASONING})) is None


def test_whose_texts_they_are_is_told_as_far_as_it_is_known() -> None:
    facts = Facts(now=datetime(2030, 1, 1, tzinfo=UTC), model="fast", provider="openai")
    assert about(facts, "g", Phase.REQUEST) == About("g", Phase.REQUEST, "", "fast", "openai")
    facts.headers = {"x-request-id": "r"}
    facts.principal = Principal(Kind.API_KEY, "n", key="k", user="ann", team="red")
    told = about(facts, "g", Phase.RESPONSE, is_part=True)
    assert (told.request_id, told.key, told.user, told.team) == ("r", "k", "ann", "red")
    assert told.is_part


def test_a_text_that_spells_json_says_what_was_written_into_it() -> None:
    said = [Said(USER, "cat"), Said(USER, '{"a": "cat"}')]
    for outer in ({}, {1: '{"a":"dog"}'}):
        writer = Writer({0: "dog", **outer}, said)
        assert [writer.text("cat"), writer.text('{"a": "dog"}')] == ["dog", '{"a": "dog"}']
        assert writer.is_complete
    for other in ('{"b":"dog"}', "dog", "{"):  # more than what it says
        writer = Writer({0: "dog", 1: other}, said)
        writer.text("cat")
        writer.text('{"a": "dog"}')
        assert not writer.is_complete
