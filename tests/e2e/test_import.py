"""Other gateways' files, run as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.stack import free_ports, running

EXAMPLES = Path(__file__).parents[2] / "examples/import"
KEY = "sk-dragoman-demo"
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "Hello!"}]}

pytestmark = pytest.mark.envoy


def at_demo_port(file: Path, port: int, folder: Path) -> Path:
    """A copy of an example whose providers are at this port."""
    copy = folder / file.name
    copy.write_text(file.read_text("utf-8").replace(":18080", f":{port}"))
    return copy


@pytest.mark.parametrize("name", ["litellm", "agentgateway"])
def test_another_gateways_file_is_run_as_it_is(tmp_path: Path, name: str) -> None:
    ports = free_ports(4)
    file = at_demo_port(EXAMPLES / f"{name}.yaml", ports[3], tmp_path)
    with running(file, tmp_path / "state", workers=1, ports=ports) as stack:
        assert stack.chat(CHAT, key=None).status_code == 401
        answer = stack.chat(CHAT, key=KEY)
        assert answer.status_code == 200, answer.text
        assert [request["model"] for request in map(body_of, stack.seen("a"))] == ["demo-a"]
        assert "a configuration of" in stack.log.read_text()


def test_litellms_fallbacks_are_tried_in_the_same_request(tmp_path: Path) -> None:
    ports = free_ports(4)
    file = at_demo_port(EXAMPLES / "litellm.yaml", ports[3], tmp_path)
    with running(file, tmp_path / "state", workers=1, ports=ports) as stack:
        stack.switch("a", "429")
        assert stack.chat(CHAT, key=KEY).status_code == 200
        assert [request["model"] for request in map(body_of, stack.seen("b"))] == ["demo-b"]


def body_of(request: dict[str, object]) -> dict[str, object]:
    body = request["body"]
    assert isinstance(body, dict)
    return body
