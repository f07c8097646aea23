"""What a form of A2A cannot say, by name.

| loss | where | what becomes of it |
|---|---|---|
| `unknown_member` | to protobuf, between revisions | what the protocol does not have is left out |
| `unknown_value` | to protobuf, between revisions | an enumeration's value is said as unspecified |
| `number_precision` | to protobuf | numbers in metadata and data become 64-bit floats |
| `data_wrapped` | to 0.3 | data that is no object becomes `{"value": …}`, and is marked as such |
| `part_media_type` | to 0.3 | media type and file name of text, data (1.0 has them on all parts) |
| `reference_task_ids` | to protobuf of 0.3 and its HTTP+JSON | its message has no field for them |
| `several_schemes` | to 1.0 | of a webhook's schemes of authentication, the first |
| `tenant` | to 0.3 | it has no tenants |
| `history_length_zero` | to 0.3 | there, zero is all of the history, so one message is asked for |
| `page` | to 0.3 | pages of webhooks: it answers with all of them (JSON-RPC, HTTP+JSON) |
| `request_metadata` | to protobuf of 0.3 and its HTTP+JSON | a cancelling has no metadata |
| `no_content` | to 0.3 | a part without content, or with one of a later revision, is left out |
| `several_flows` | cards to protobuf | of several flows of OAuth, the first |
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct


class Loss(StrEnum):
    """What is lost; the table above says how."""

    UNKNOWN_MEMBER = "unknown_member"
    UNKNOWN_VALUE = "unknown_value"
    NUMBER_PRECISION = "number_precision"
    DATA_WRAPPED = "data_wrapped"
    PART_MEDIA_TYPE = "part_media_type"
    REFERENCE_TASK_IDS = "reference_task_ids"
    SEVERAL_SCHEMES = "several_schemes"
    TENANT = "tenant"
    HISTORY_LENGTH_ZERO = "history_length_zero"
    PAGE = "page"
    REQUEST_METADATA = "request_metadata"
    NO_CONTENT = "no_content"
    SEVERAL_FLOWS = "several_flows"


class Lost(Struct, frozen=True):
    """One loss."""

    what: Loss
    where: str
    """The member, by its name: `taskId`."""


Losses: TypeAlias = list[Lost]
"""Told as a document is converted."""


class Malformed(ValueError):
    """A document that is not of its form: what it says has the wrong type."""
