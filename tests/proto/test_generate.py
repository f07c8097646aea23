"""The committed descriptors are those of the installed Envoy."""

from __future__ import annotations

import importlib.util
import zlib
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

GENERATE = Path(__file__).parents[2] / "proto" / "generate.py"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    specification = importlib.util.spec_from_file_location("generate", GENERATE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_committed_file_is_what_the_installed_binary_and_our_protos_yield(
    generate: ModuleType,
) -> None:
    carved = tuple(generate.carve(generate.envoy_binary().read_bytes()))
    expected = zlib.decompress(generate.pack((*carved, *generate.own_files(carved))))
    committed = zlib.decompress(generate.DESCRIPTORS.read_bytes())
    assert committed == expected, "run: python proto/generate.py"


def test_every_import_of_a_file_is_in_the_set(generate: ModuleType) -> None:
    files = FileDescriptorSet.FromString(zlib.decompress(generate.DESCRIPTORS.read_bytes())).file
    names = {file.name for file in files}
    assert {imported for file in files for imported in file.dependency} <= names


def test_a_mention_of_a_file_name_is_not_a_file(generate: ModuleType) -> None:
    file = FileDescriptorProto(name="a/b.proto", package="a")
    file.message_type.add(name="M")
    mention = b"\x00\x0a\x09c/d.proto\x00 a/b.proto \x00"
    binary = mention + file.SerializeToString() + b"\x00" + mention
    assert list(generate.carve(binary)) == [file]


def test_adjacent_files_are_told_apart(generate: ModuleType) -> None:
    files = [FileDescriptorProto(name=f"a/{name}.proto", package="a") for name in "xy"]
    for file in files:
        file.message_type.add(name="M")
    binary = b"".join(file.SerializeToString() for file in files) + b"\x00"
    assert list(generate.carve(binary)) == files
