from __future__ import annotations

from gateway.imported import Imported, Mapped, Outcome
from gateway.importers.report import document, has_unsupported, summary, text

FOUND = Imported(
    "litellm",
    "gateways: {}\n",
    (
        Mapped("a.b", 2, Outcome.EXACT, "llm.models"),
        Mapped("a.long", 3, Outcome.DIFFERENT, "budgets", "by the calendar"),
        Mapped("c", 14, Outcome.UNSUPPORTED, note="there is none"),
        Mapped("auth", 15, Outcome.UNSUPPORTED, note="keys alone", is_security=True),
    ),
)


def test_security_comes_first_and_what_is_exact_last() -> None:
    assert text(FOUND, "config.yaml") == (
        "config.yaml: a configuration of LiteLLM: 4 keys: 1 exact, 1 different,"
        " 2 unsupported; 1 about security\n"
        "\n"
        "security: read these first (1)\n"
        "  15  auth  keys alone\n"
        "\n"
        "not taken over (1)\n"
        "  14  c  there is none\n"
        "\n"
        "taken over with a difference (1)\n"
        "  3  a.long  → budgets (by the calendar)\n"
        "\n"
        "taken over as it is (1)\n"
        "  2  a.b  → llm.models\n"
    )


def test_what_is_exact_can_be_left_out() -> None:
    short = text(FOUND, "config.yaml", with_exact=False)
    assert "1 exact" in short
    assert "a.b" not in short


def test_long_paths_do_not_push_the_notes_away() -> None:
    found = Imported(
        "litellm",
        "",
        (
            Mapped("x" * 90, 1, Outcome.UNSUPPORTED, note="one"),
            Mapped("y", 2, Outcome.UNSUPPORTED, note="two"),
        ),
    )
    lines = text(found, "f").splitlines()
    assert lines[-2] == f"  1  {'x' * 90}  one"
    assert lines[-1] == f"  2  {'y':<60}  two"


def test_the_document_has_every_finding_in_the_order_of_the_file() -> None:
    found = document(FOUND, "config.yaml")
    assert (found["file"], found["dialect"], found["security"]) == ("config.yaml", "litellm", 1)
    assert found["counts"] == {"exact": 1, "different": 1, "unsupported": 2}
    assert [row["path"] for row in found["findings"]] == ["a.b", "a.long", "c", "auth"]
    assert found["findings"][1] == {
        "path": "a.long",
        "line": 3,
        "outcome": "different",
        "to": "budgets",
        "note": "by the calendar",
        "security": False,
        "sum": False,
    }


def test_a_file_of_which_nothing_is_missing() -> None:
    whole = Imported("agentgateway", "", FOUND.mappings[:2])
    assert not has_unsupported(whole)
    assert has_unsupported(FOUND)
    assert summary(whole, "f") == (
        "f: a configuration of AgentGateway: 2 keys: 1 exact, 1 different, 0 unsupported"
    )


def test_a_block_that_only_sums_up_is_neither_shown_nor_counted() -> None:
    around = Mapped("a", 1, Outcome.DIFFERENT, note="in part", is_sum=True)
    found = Imported("litellm", "", (around, *FOUND.mappings))
    assert text(found, "f") == text(FOUND, "f")
    rows = document(found, "f")
    assert rows["counts"] == {"exact": 1, "different": 1, "unsupported": 2}
    assert [row["sum"] for row in rows["findings"]] == [True, False, False, False, False]
