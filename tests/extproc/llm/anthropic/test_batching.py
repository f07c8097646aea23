"""What stands in a batch of messages is read as what stands in messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from extproc.llm.anthropic.batching import MOST_MODELS, decode, models_of, reword, texts
from extproc.rewording import Reworded
from extproc.verdict import Deny


def request(text: Any, model: str = "claude") -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"custom_id": "one", "params": {"model": model, "max_tokens": 9, "messages": messages}}


def decoded(*requests: Any, **more: Any) -> Mapping[str, object]:
    found = decode(json.dumps({"requests": requests, **more}).encode())
    assert not isinstance(found, Deny), found
    return found


def test_all_that_models_would_read_is_read() -> None:
    parts = [{"type": "text", "text": "zeb"}, {"type": "text", "text": "ra"}]
    batch = decoded(request("hello"), request(parts, "other"), note={"a": "b"})
    found = texts(batch)
    assert not isinstance(found, Deny)
    assert {"hello", "zeb", "ra", "zebra", "one", "note", "a", "b"} <= set(found)
    assert "claude" not in found
    assert models_of(batch) == ("claude", "other")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b'{"requests":[],"requests":[]}', "duplicate_key"),
        (b'{"requests":[],"Requests":[]}', "ambiguous_key"),
        (b"{}", "missing_required_parameter"),
        (b'{"requests":[1]}', "invalid_type"),
        (b'{"requests":[{"params":[]}]}', "invalid_type"),
        (b'{"requests":[{"params":{"messages":[]}}]}', "missing_required_parameter"),
        (
            json.dumps(
                {"requests": [request("a", str(n)) for n in range(MOST_MODELS + 1)]}
            ).encode(),
            "invalid_value",
        ),
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused(body: bytes, code: str) -> None:
    fault = decode(body)
    assert isinstance(fault, Deny)
    assert fault.code == code


def test_texts_are_reworded_where_they_stand() -> None:
    class Mask:
        def text(self, text: str) -> str:
            return text.replace("secret", "[x]")

        def across(self, pieces: Any) -> Any:
            return pieces

        def fixed(self, text: str) -> None: ...

    body = json.dumps({"requests": [request("a secret"), request("fine")]}).encode()
    new = reword(body, Mask())
    assert isinstance(new, Reworded)
    first, second = json.loads(new.values["requests"])
    assert first["params"]["messages"][0]["content"] == "a [x]"
    assert second == request("fine")
