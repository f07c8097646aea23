from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from gateway.config.block import Block
from gateway.config.described import Described
from gateway.config.finding import Place
from gateway.config.schema import Config, Source
from tests.gateway.config.loading import complaints, loaded


def blocks(kind: object, *around: object) -> Iterator[type[Block]]:
    """Every block that a type leads to; some lead to themselves."""
    if kind in around:
        return
    if isinstance(kind, type) and issubclass(kind, Block):
        yield kind
        for field in kind.model_fields.values():
            yield from blocks(field.annotation, kind, *around)
    for inner in get_args(kind):
        yield from blocks(inner, *around)


def test_every_field_of_every_block_says_what_it_means() -> None:
    found = set(blocks(Config))
    assert len(found) > 20
    for block in found:
        assert block.__doc__, block
        schema = block.model_json_schema(schema_generator=Described)
        own = schema["$defs"][block.__name__] if "$ref" in schema else schema
        for name, member in own.get("properties", {}).items():
            assert member.get("description"), f"{block.__name__}.{name}"


def test_empty_blocks_are_a_config_and_an_empty_file_is_none() -> None:
    assert loaded("llm:\nroutes:\n") == Config()
    for text in ("", "# what an editor leaves for a moment\n", "{}"):
        assert complaints(text) == [": configures nothing"]


def test_where_it_was_written_is_no_part_of_a_config() -> None:
    config = loaded("llm:\n  models: {}\n")
    assert config.source.file == "test.yaml"
    missing = ("llm", "models", "missing")
    assert config.source.place(missing) == Place("test.yaml", 2, missing)
    assert Source("a") == Source("b", lambda path: Place("b", 1))
    assert config == loaded("\n\nllm: {models: {}}")
