from __future__ import annotations

import pytest

from gateway.imported import Outcome
from gateway.importers.litellm_general_keys import GENERAL, PASS_THROUGH
from gateway.importers.litellm_keys import (
    ALIAS,
    GUARD,
    GUARD_PARAMS,
    MODEL,
    TOP,
    Block,
    Keys,
    answer_rest,
    is_off,
)
from gateway.importers.litellm_model_keys import INFO, PARAMS
from gateway.importers.litellm_settings_keys import LITELLM, ROUTER
from gateway.importers.walk import walk

BLOCKS = (
    TOP,
    MODEL,
    PARAMS,
    INFO,
    LITELLM,
    ROUTER,
    GENERAL,
    PASS_THROUGH,
    ALIAS,
    GUARD,
    GUARD_PARAMS,
)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.path or "top")
def test_every_key_is_in_one_row(block: Block) -> None:
    names = list(block.names())
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.path or "top")
def test_only_what_is_exact_goes_without_a_note(block: Block) -> None:
    for row in block.rows:
        assert row.note or row.outcome is Outcome.EXACT
        assert not row.note.endswith(".")


def test_a_whole_name_goes_before_a_family_and_a_long_family_before_a_short_one() -> None:
    whole, long, short = (
        Keys(names, Outcome.UNSUPPORTED, "x") for names in (("a_b_c",), ("a_b_*",), ("a_*",))
    )
    block = Block("", (short, long, whole))
    assert [block.find(name) for name in ("a_b_c", "a_b_x", "a_x", "b")] == [
        whole,
        long,
        short,
        None,
    ]


def test_what_is_off_says_nothing_unless_off_says_something() -> None:
    block = Block(
        "",
        (
            Keys(("cache", "log"), Outcome.UNSUPPORTED, "none here"),
            Keys(("verify",), Outcome.UNSUPPORTED, "always verified", acts_when_off=True),
        ),
    )
    found = walk("cache: false\nlog: true\nverify: false\nother: 1\n", "f")
    answer_rest(found.root, block)
    assert [(each.path, each.outcome) for each in found.finish()] == [
        ("cache", Outcome.EXACT),
        ("log", Outcome.UNSUPPORTED),
        ("verify", Outcome.UNSUPPORTED),
        ("other", Outcome.UNSUPPORTED),
    ]


def test_a_key_that_nobody_knows_may_have_kept_somebody_out() -> None:
    found = walk("alowed_ips: [10.0.0.1]\n", "f")
    answer_rest(found.root, GENERAL, unknown_is_security=True)
    (told,) = found.finish()
    assert told.is_security
    assert told.note == "unknown key (did you mean 'allowed_ips'?)"


def test_a_zero_is_a_number_and_switches_nothing_off() -> None:
    assert all(is_off(value) for value in (None, False, "", [], {}))
    assert not any(is_off(value) for value in (0, True, "a", [0], {"a": None}))
