from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.config.schema import Config
from gateway.imported import Outcome
from gateway.importers.litellm import convert
from tests.gateway.importers.litellm_files import finding, imported, ours


def router(settings: str, litellm: str = "") -> str:
    """A file with these settings."""
    return (
        "model_list: [{model_name: a, litellm_params: {model: groq/x, api_key: k}}]\n"
        f"router_settings: {{{settings}}}\nlitellm_settings: {{{litellm}}}\n"
    )


@pytest.mark.parametrize(
    ("settings", "health"),
    [
        ("allowed_fails: 3", {"failures": 4}),
        ("allowed_fails: 0", {"failures": 1}),
        ("allowed_fails: 1000", {"failures": 10}),
        ("cooldown_time: 30", {"cool_down": "30s", "most": "30s"}),
        (
            "cooldown_time: 600, allowed_fails: '1'",
            {"failures": 2, "cool_down": "600s", "most": "600s"},
        ),
        ("cooldown_time: 0, allowed_fails: 2", {"failures": 0}),
        ("disable_cooldowns: true, cooldown_time: 5", {"failures": 0}),
        ("disable_cooldowns: false, allowed_fails: 1", {"failures": 2}),
    ],
)
def test_cool_downs_are_ours(settings: str, health: dict[str, object]) -> None:
    text = router(settings)
    assert ours(text)["llm"]["failover"] == {"health": health}
    assert isinstance(load(imported(text).yaml, file="ours.yaml", environment={}), Config)
    assert (
        finding(text, f"router_settings.{settings.partition(':')[0]}").to.startswith(
            "llm.failover.health"
        )
        or "false" in settings
    )


def test_without_any_of_them_ours_has_its_own() -> None:
    assert "failover" not in ours(router(""))["llm"]


def test_what_the_router_says_counts() -> None:
    text = router("allowed_fails: 1", "allowed_fails: 5, cooldown_time: 7")
    assert ours(text)["llm"]["failover"]["health"] == {
        "failures": 2,
        "cool_down": "7s",
        "most": "7s",
    }
    assert finding(text, "litellm_settings.allowed_fails").outcome is Outcome.UNSUPPORTED


@pytest.mark.parametrize(("value", "lossy"), [("true", "all"), ("false", None)])
def test_what_may_be_dropped(value: str, lossy: str | None) -> None:
    text = router("", f"drop_params: {value}")
    assert ours(text)["llm"].get("lossy") == lossy
    expected = Outcome.DIFFERENT if lossy else Outcome.EXACT
    assert finding(text, "litellm_settings.drop_params").outcome is expected


def test_streams_have_a_time_to_begin() -> None:
    found = ours(router("stream_timeout: 20"))["llm"]["providers"]["groq"]
    assert found["timeouts"] == {"first_byte": "20s"}
    own = router("stream_timeout: 20").replace("api_key: k", "api_key: k, stream_timeout: 2")
    assert ours(own)["llm"]["providers"]["groq"]["timeouts"] == {"first_byte": "2s"}


def test_a_wrong_number_is_a_problem() -> None:
    found = convert(router("allowed_fails: -1"), "config.yaml")
    assert isinstance(found, tuple)
    assert found[0].path == "router_settings.allowed_fails"
