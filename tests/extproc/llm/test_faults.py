from __future__ import annotations

import pytest

from extproc.llm import faults
from extproc.llm.anthropic.reading import READING as MESSAGES
from extproc.llm.bedrock.reading import READING as BEDROCK
from extproc.llm.dialect import Call, Reading
from extproc.llm.openai_chat.reading import READING as CHAT
from extproc.llm.openai_responses.reading import READING as RESPONSES
from extproc.protocols.json_spans import DuplicateKey, InvalidJson, TooComplex, TooDeep
from extproc.verdict import Deny


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DuplicateKey("model"), "duplicate_key"),
        (TooDeep("a"), "too_deep"),
        (TooComplex("a"), "too_complex"),
        (InvalidJson("a"), "invalid_json"),
    ],
)
def test_every_way_of_being_unreadable_has_a_code(error: InvalidJson, code: str) -> None:
    deny = faults.unreadable(error)
    assert (deny.status, deny.code) == (400, code)


def test_a_member_that_is_missing_is_told_from_one_of_another_type() -> None:
    assert faults.not_a(str, {}, "name", "tools[0].") == Deny(
        400,
        "missing_required_parameter",
        "missing required parameter: tools[0].name",
        param="tools[0].name",
    )
    assert faults.not_a(str, {"name": None}, "name") == Deny(
        400, "invalid_type", "name must be a string, not null", param="name"
    )


def test_a_wrong_value_is_named_with_the_rule() -> None:
    assert faults.wrong_value("n", "must be 1") == Deny(
        400, "invalid_value", "n must be 1", param="n"
    )


@pytest.mark.parametrize("name", ["", "a b", "a\n", "m" * 257, "a\x7f"])
def test_what_is_no_name_of_a_model_is_refused(name: str) -> None:
    assert faults.of_model(name) is not None


@pytest.mark.parametrize("name", ["m", "m" * 256, "org/model:free@2026"])
def test_names_of_models_may_be_of_any_vendor(name: str) -> None:
    assert faults.of_model(name) is None


def test_names_that_another_reader_could_take_for_ours_are_refused() -> None:
    assert faults.of_names({"model": 1, "temperature": 1}, {"model"}) is None
    deny = faults.of_names({"Model": 1}, {"model"})
    assert deny is not None
    assert deny.code == "ambiguous_key"


def test_what_is_unfit_carries_its_refusal() -> None:
    deny = faults.wrong_type(list, "a", "tools")
    assert faults.Unfit(deny).deny is deny
    assert str(faults.Unfit(deny)) == "tools must be an array, not a string"


@pytest.mark.parametrize("name", [".", "..", "a/../b", "a/..", "./a", "../.."])
def test_a_models_name_does_not_change_the_path_that_it_is_put_in(name: str) -> None:
    assert faults.of_model(name) is not None
    assert isinstance(BEDROCK.decode(b'{"messages": []}', name, is_stream=False), Deny)


@pytest.mark.parametrize("name", ["gpt-4.1", "a/b", ".hidden", "a..b", "a/.b", "v1.0/..."])
def test_dots_within_a_models_name_are_its_own(name: str) -> None:
    assert faults.of_model(name) is None


@pytest.mark.parametrize("reading", [CHAT, RESPONSES, MESSAGES])
def test_no_server_is_told_of_models_that_nobody_decided_on(reading: Reading) -> None:
    says = b'"model": "m", "messages": [], "input": "", "max_tokens": 1'
    assert isinstance(reading.decode(b"{%s}" % says, "", is_stream=False), Call)
    assert isinstance(reading.decode(b'{%s, "models": []}' % says, "", is_stream=False), Call)
    deny = reading.decode(b'{%s, "models": ["dear"]}' % says, "", is_stream=False)
    assert isinstance(deny, Deny)
    assert deny.param == "models"


@pytest.mark.parametrize(
    ("value", "least", "code"),
    [
        (None, 1, ""),
        (1, 1, ""),
        (faults.MAX_COUNT, 1, ""),
        (0, 0, ""),
        (0, 1, "invalid_value"),
        (-1, 0, "invalid_value"),
        (faults.MAX_COUNT + 1, 1, "invalid_value"),
        (True, 1, "invalid_type"),
        (1.0, 1, "invalid_type"),
        ("1", 1, "invalid_type"),
    ],
)
def test_a_count_is_absent_or_between_bounds(value: object, least: int, code: str) -> None:
    fault = faults.of_count(value, "n", least)
    assert (fault.code if fault else "") == code
    assert fault is None or fault.param == "n"
