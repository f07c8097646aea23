"""Message classes from a set of file descriptors, made when they are first asked for."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

Message: TypeAlias = Any
"""A protobuf message: its fields are known when the program runs, not to the type checker."""

Json: TypeAlias = Mapping[str, Any]

TYPE_URL_PREFIX = "type.googleapis.com/"


class UnknownMessage(KeyError):
    """The API has no message of this name."""


class Api:
    """Every message of one version of Envoy."""

    def __init__(self, compressed: bytes) -> None:
        files = FileDescriptorSet.FromString(zlib.decompress(compressed)).file
        self._files: dict[str, FileDescriptorProto] = {file.name: file for file in files}
        self._file_of = {
            f"{file.package}.{message.name}": file.name
            for file in files
            for message in file.message_type
        }
        self._pool = DescriptorPool()
        self._added: set[str] = set()
        self._classes: dict[str, type[Message]] = {}
        self._resolver = cast("DescriptorPool", self)  # upb's pool is final and not lazy

    def message(self, full_name: str) -> type[Message]:
        """The class of a message, the same one at every call."""
        known = self._classes.get(full_name)
        if known is None:
            known = message_factory.GetMessageClass(self.FindMessageTypeByName(full_name))
            self._classes[full_name] = known
        return known

    def pack(self, value: Message) -> Message:
        """The message as a `google.protobuf.Any`, serialized deterministically."""
        return self.message("google.protobuf.Any")(
            type_url=TYPE_URL_PREFIX + value.DESCRIPTOR.full_name,
            value=value.SerializeToString(deterministic=True),
        )

    def unpack(self, packed: Message) -> Message:
        """What is in a `google.protobuf.Any`."""
        return self.message(type_name(packed.type_url)).FromString(packed.value)

    def from_dict(self, full_name: str, fields: Json) -> Message:
        """A message from its JSON form; `json_format.ParseError` for what the API does not have."""
        value = json_format.ParseDict(
            dict(fields), self.message(full_name)(), descriptor_pool=self._resolver
        )
        self._settle(value)
        return value

    def to_dict(self, value: Message) -> Json:
        """The JSON form of a message, with the field names of the `.proto` files."""
        return json_format.MessageToDict(
            value, preserving_proto_field_name=True, descriptor_pool=self._resolver
        )

    def _settle(self, value: Message) -> None:
        """Serialize every `Any` inside again: json_format leaves their maps in any order."""
        if value.DESCRIPTOR.full_name == "google.protobuf.Any":
            if not value.type_url:
                return  # by that, Envoy means something
            inner = self.unpack(value)
            self._settle(inner)
            value.value = inner.SerializeToString(deterministic=True)
            return
        for part in _parts(value):
            self._settle(part)

    def FindMessageTypeByName(self, full_name: str) -> Descriptor:
        """Named by protobuf: what `json_format` asks of a pool when it meets an `Any`."""
        self._add(self._file_with(full_name))
        try:
            return self._pool.FindMessageTypeByName(full_name)
        except KeyError:
            raise UnknownMessage(full_name) from None

    def _file_with(self, full_name: str) -> str:
        outermost = full_name
        while outermost not in self._file_of:
            outermost, _, inner = outermost.rpartition(".")
            if not inner:
                raise UnknownMessage(full_name)
        return self._file_of[outermost]

    def _add(self, file_name: str) -> None:
        if file_name in self._added:
            return
        self._added.add(file_name)
        file = self._files[file_name]
        for dependency in file.dependency:
            self._add(dependency)
        self._pool.AddSerializedFile(file.SerializeToString())


def _parts(value: Message) -> Iterator[Message]:
    """The messages that stand directly in this one."""
    for field, content in value.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
                yield from content.values()
        elif field.is_repeated:
            yield from content
        else:
            yield content


def type_name(type_url: str) -> str:
    """`type.googleapis.com/a.b.C` → `a.b.C`."""
    return type_url.rpartition("/")[2]
