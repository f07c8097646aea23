"""Which operation of the LLM API a request line asks for."""

from __future__ import annotations

from enum import Enum, auto
from urllib.parse import unquote

from gateway import names


class Operation(Enum):
    """What the client wants of the LLM API."""

    CHAT = auto()
    LIST_MODELS = auto()
    GET_MODEL = auto()
    WRONG_METHOD = auto()
    UNSUPPORTED = auto()


_OPERATIONS: dict[str, tuple[str, Operation]] = {
    f"{names.LLM_PREFIX}chat/completions": ("POST", Operation.CHAT),
    f"{names.LLM_PREFIX}models": ("GET", Operation.LIST_MODELS),
}
_MODEL_PREFIX = f"{names.LLM_PREFIX}models/"


def operation(method: str, path: str) -> Operation:
    """The operation of a request; the query is not looked at."""
    bare = path.partition("?")[0]
    found = _OPERATIONS.get(bare)
    if found is None and bare.startswith(_MODEL_PREFIX) and bare != _MODEL_PREFIX:
        found = ("GET", Operation.GET_MODEL)
    if found is None:
        return Operation.UNSUPPORTED
    return found[1] if found[0] == method else Operation.WRONG_METHOD


def model_name(path: str) -> str:
    """The model that a GET_MODEL path names, percent-decoded."""
    return unquote(path.partition("?")[0][len(_MODEL_PREFIX) :])
