"""The block of the A2A gateway: what can be said of agents."""

from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints


@pytest.mark.parametrize(
    ("agent", "complaint"),
    [
        ("{}", "a2a.agents.a: needs exactly one of url and instances"),
        ("{url: 'ftp://a'}", "a2a.agents.a.url: must be an http or https url"),
        ("{url: 'http://a', grpc: 'http://a/x'}", "a2a.agents.a.grpc: must have no path"),
        ("{url: 'http://a', key: k, auth: {type: none}}", "a2a.agents.a: has both key and auth"),
        ("{url: 'http://a', timeout: 2m}", "a2a.agents.a.timeout: must be more than 0 and"),
        ("{url: 'http://a', instances: {b: {url: 'http://b'}}}", "a2a.agents.a: needs exactly"),
        ("{grpc: 'http://a', instances: {b: {url: 'http://b'}}}", "a2a.agents.a: has both grpc"),
        ("{instances: {b~c: {url: 'http://b'}}}", "a2a.agents.a.instances.b~c: must be the name"),
        ("{instances: {b: {url: 'http://b', drain: true}}}", "a2a.agents.a: has no instance for"),
        ("{url: 'http://a', refresh: 10ms}", "a2a.agents.a.refresh: must be at least 1s"),
    ],
)
def test_what_is_no_agent_is_told(agent: str, complaint: str) -> None:
    (found,) = complaints(f"a2a: {{agents: {{a: {agent}}}}}")
    assert found.startswith(complaint)


@pytest.mark.parametrize("name", ["a_b", "1a", "-a", "a" * 64])
def test_an_agent_has_a_name_that_can_stand_in_a_path_and_in_a_tenant(name: str) -> None:
    (found,) = complaints(f"a2a: {{agents: {{{name}: {{url: 'http://a'}}}}}}")
    assert "must be the name of an agent" in found


def test_the_gateway_is_called_by_an_origin() -> None:
    (found,) = complaints("a2a: {url: 'https://a.example/x'}")
    assert "must have no path" in found
