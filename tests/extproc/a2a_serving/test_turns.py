"""Who else may be asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a_serving.directory import Directory
from extproc.a2a_serving.turns import ALONE, turns
from extproc.ports import Answered
from gateway.a2a import Binding, Revision
from tests.kit.a2a_exchange import Clock, card
from tests.kit.a2a_pools import INSTANCES, instances
from tests.kit.gateways import gateway_of
from tests.kit.in_a_loop import in_a_loop

SPOKEN = Binding.JSONRPC, Revision.V1_0
PATH = "http://travel:9999/rpc"


@pytest.mark.parametrize(
    ("place", "is_other"),
    [
        ({"url": PATH, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}, True),
        ({"url": f"{PATH}/v2", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}, False),
        ({"url": PATH, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}, False),
        ({"url": PATH, "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"}, False),
        (
            {"url": PATH, "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "t"},
            False,
        ),
    ],
)
@in_a_loop
async def test_another_is_asked_if_it_is_told_the_same(
    place: dict[str, Any], is_other: bool
) -> None:
    body = json.dumps(card("travel", "travel:9999", supportedInterfaces=[place])).encode()
    peers = instances(green=lambda asked: Answered(200, {}, body))
    agents = gateway_of(INSTANCES).a2a.agents
    directory = Directory(agents, peers, Clock().times)
    await directory.asked_all(["travel"])
    pool, found = agents[0].pool, directory.known("travel~blue")
    assert pool is not None
    assert found is not None
    blue, green = pool.members
    made = turns(directory, blue, found, SPOKEN, [green])
    if not is_other:
        assert made == ALONE
        return
    assert dict(made) == {
        "service/a2a/travel~blue": blue,
        "service/a2a/travel~green": green,
    }
    assert turns(directory, blue, found, SPOKEN, []) == ALONE
