from __future__ import annotations

from gateway.config.schema import Config
from gateway.config.written import Written


def test_names_are_those_of_the_document_too() -> None:
    document = {
        "gateways": {"main": 1},
        "llm": {"providers": {"p": {}}, "models": {"m": 0}},
        "routes": [{"name": "r"}, 3, {"name": 4}],
        "identity": {"api_keys": {"keys": [{"name": "k"}]}},
    }
    written = Written.of(Config(), document)
    assert written.gateways >= {"main"}
    assert written.providers == {"p"}
    assert written.models == {"m"}
    assert written.routes == {"r"}
    assert written.keys == {"k"}
    assert written.knows_reference("x", "p/anything")
    assert written.knows_reference("x", "m")
    assert not written.knows_reference("m", "m")
    assert not written.knows_reference("x", "p/")


def test_a_document_of_another_shape_names_nothing() -> None:
    documents: tuple[object, ...] = (
        None,
        [],
        {"llm": 3, "routes": {}, "identity": {"api_keys": []}},
    )
    for document in documents:
        written = Written.of(Config(), document)
        assert written.gateways == {"default"}
        assert not written.providers | written.models | written.routes | written.keys
