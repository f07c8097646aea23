from __future__ import annotations

from textwrap import dedent

from gateway.config.document import read
from gateway.config.finding import Path, Place
from gateway.config.merging import Merged, Part, merged
from gateway.config.schema import Config


def joined(*texts: str, at: Path = ()) -> Merged:
    """Files `0`, `1`, …; the last one stands at `at`."""
    parts = [Part(str(i), read(dedent(text), {})) for i, text in enumerate(texts)]
    parts[-1] = Part(parts[-1].file, parts[-1].document, at)
    return merged(parts, Config)


def conflicts(whole: Merged) -> list[str]:
    return [f"{each.file}:{each.line} {each.message}" for each in whole.findings]


def test_one_document_is_itself() -> None:
    for text in ("a: 1", "[1]", "", "3"):
        assert joined(text).value == read(text, {}).value


def test_names_of_several_files_stand_beside_each_other() -> None:
    whole = joined(
        "llm: {providers: {a: {type: openai}}, models: {m: a/x}}",
        "llm: {providers: {b: {type: vllm}}}\nadmin: {address: '127.0.0.1:1'}",
    )
    assert whole.value == {
        "llm": {
            "providers": {"a": {"type": "openai"}, "b": {"type": "vllm"}},
            "models": {"m": "a/x"},
        },
        "admin": {"address": "127.0.0.1:1"},
    }
    assert whole.findings == ()


def test_lists_follow_one_another_and_know_where_each_item_stands() -> None:
    whole = joined(
        "routes:\n- {name: a}\n- {name: b}\n", "admin: {}\n", "\nroutes:\n- name: c\n  retries: 1\n"
    )
    assert whole.value == {
        "routes": [{"name": "a"}, {"name": "b"}, {"name": "c", "retries": 1}],
        "admin": {},
    }
    assert whole.place(("routes", 1, "name")) == Place("0", 3, ("routes", 1, "name"))
    assert whole.place(("routes", 2, "retries")) == Place("2", 4, ("routes", 0, "retries"))
    assert whole.place(("routes", 2, "backend")) == Place("2", 3, ("routes", 0, "backend"))
    assert whole.text(("routes", 2, "retries")) == "1"
    assert whole.is_written(("routes", 2, "name"))
    assert not whole.is_written(("routes", 3))


def test_what_is_the_same_may_be_written_twice() -> None:
    text = "gateways: {a: {port: 1}}\nadmin: {address: x}"
    assert joined(text, text).findings == ()


def test_what_is_not_the_same_is_a_conflict_that_names_both() -> None:
    whole = joined("admin:\n  address: x\n", "\nadmin:\n  address: y\n")
    assert conflicts(whole) == ["1:3 also written in 0:2, and not the same"]


def test_a_name_belongs_to_one_file() -> None:
    whole = joined(
        "gateways:\n  a: {port: 1}\n", "gateways:\n  a: {port: 1, address: '127.0.0.1'}\n"
    )
    assert conflicts(whole) == ["1:2 also written in 0:2, and not the same"]


def test_kinds_that_do_not_fit_are_a_conflict() -> None:
    whole = joined("routes: []", "routes: {}", "routes:")
    assert conflicts(whole) == ["1:1 also written in 0:1, and not the same"]


def test_a_file_beside_others_has_to_be_a_block() -> None:
    whole = joined("admin: {}", "- 1")
    assert conflicts(whole) == ["1:1 must be a block of keys and values"]
    assert whole.value == {"admin": {}}


def test_a_document_can_stand_deep_inside() -> None:
    whole = joined("llm: {prices: {a: {input: 1}}}", '{"b": {"input": 2}}', at=("llm", "prices"))
    assert whole.value == {"llm": {"prices": {"a": {"input": 1}, "b": {"input": 2}}}}
    path = ("llm", "prices", "b", "input")
    assert whole.place(path) == Place("1", 1, path)


def test_mistakes_of_reading_keep_their_place() -> None:
    whole = joined("routes:\n- {name: a}\n", 'routes:\n- {name: "${NO}"}\n')
    (found,) = whole.findings
    assert (found.file, found.line, found.path) == ("1", 2, ("routes", 0, "name"))
    assert whole.lost == {("routes", 1, "name")}
