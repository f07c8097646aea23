"""What is lost when a request is said in another dialect, and whether that may be.

A loss is a hint (the answer may differ a little) or it is essential (the answer would be to another
question). Encoders report losses; who translates decides what becomes of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, auto
from types import MappingProxyType

from extproc.verdict import Deny
from gateway.model import Lossiness


class Feature(StrEnum):
    """What some dialect can say: the rows of the table in docs/reference/dialects.md."""

    TEXT = auto()
    SYSTEM = auto()
    SYSTEM_MIDWAY = auto()
    """An instruction of the operator after the conversation began."""
    NAMES = auto()
    """Names of participants."""
    IMAGE_INLINE = auto()
    IMAGE_URL = auto()
    IMAGE_DETAIL = auto()
    DOCUMENT_INLINE = auto()
    DOCUMENT_URL = auto()
    DOCUMENT_TEXT = auto()
    UPLOADED_FILE = auto()
    AUDIO_INPUT = auto()
    AUDIO_OUTPUT = auto()
    VIDEO_INPUT = auto()
    IMAGE_OUTPUT = auto()
    """Images in the answer."""
    IMAGE_OUTPUT_FORM = auto()
    """Their size, quality and so on."""
    TOOLS = auto()
    STRICT_TOOLS = auto()
    TOOL_CHOICE = auto()
    """auto, none, any, or a named one."""
    PARALLEL_CALLS = auto()
    """Whether several calls at once are allowed."""
    TOOL_RESULT_IMAGE = auto()
    TOOL_ERROR = auto()
    """That a tool failed."""
    CUSTOM_TOOLS = auto()
    """Tools whose input is free text or fits a grammar."""
    PROVIDER_TOOLS = auto()
    """Tools that the provider runs itself: search, code, computers, MCP."""
    JSON_OBJECT = auto()
    JSON_SCHEMA = auto()
    REASONING_EFFORT = auto()
    REASONING_BUDGET = auto()
    REASONING_TEXT = auto()
    """Reasoning that is shown."""
    REASONING_SIGNATURE = auto()
    """Sealed reasoning, played back to the provider that sealed it."""
    MAX_OUTPUT_TOKENS = auto()
    TEMPERATURE = auto()
    TOP_P = auto()
    TOP_K = auto()
    PENALTIES = auto()
    SEED = auto()
    STOP = auto()
    CHOICES = auto()
    """Several answers to one request."""
    LOGPROBS = auto()
    LOGIT_BIAS = auto()
    VERBOSITY = auto()
    PREDICTION = auto()
    USER = auto()
    METADATA = auto()
    SERVICE_TIER = auto()
    CACHE_MARKS = auto()
    CACHE_KEY = auto()
    STORED_STATE = auto()
    """Conversations that the provider keeps: `previous_response_id`."""
    BETAS = auto()
    """Features that Anthropic has not opened to everybody yet."""
    REFUSAL = auto()
    CITATIONS = auto()
    SAFETY_SETTINGS = auto()
    OTHER = auto()
    """A field that is not known here."""


HINTS = frozenset(
    {
        Feature.SYSTEM_MIDWAY,
        Feature.NAMES,
        Feature.IMAGE_DETAIL,
        Feature.IMAGE_OUTPUT_FORM,
        Feature.STRICT_TOOLS,
        Feature.PARALLEL_CALLS,
        Feature.TOOL_ERROR,
        Feature.REASONING_EFFORT,
        Feature.REASONING_BUDGET,
        Feature.REASONING_TEXT,
        Feature.REASONING_SIGNATURE,
        Feature.TEMPERATURE,
        Feature.TOP_P,
        Feature.TOP_K,
        Feature.PENALTIES,
        Feature.SEED,
        Feature.LOGIT_BIAS,
        Feature.VERBOSITY,
        Feature.PREDICTION,
        Feature.USER,
        Feature.METADATA,
        Feature.SERVICE_TIER,
        Feature.CACHE_MARKS,
        Feature.CACHE_KEY,
        Feature.BETAS,
        Feature.REFUSAL,
        Feature.CITATIONS,
        Feature.OTHER,
    }
)
"""Whose loss leaves the question what it was. All others are essential."""

_MEANINGS: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.IMAGE_URL: "an image by its address",
        Feature.DOCUMENT_URL: "a document by its address",
        Feature.UPLOADED_FILE: "a file that a provider keeps",
        Feature.AUDIO_INPUT: "audio",
        Feature.AUDIO_OUTPUT: "an answer in audio",
        Feature.VIDEO_INPUT: "video",
        Feature.IMAGE_OUTPUT: "an answer with images",
        Feature.PROVIDER_TOOLS: "a tool that the provider runs itself",
        Feature.CUSTOM_TOOLS: "a tool whose input is free text",
        Feature.STORED_STATE: "what a provider keeps",
        Feature.SAFETY_SETTINGS: "settings of a provider's own filters",
        Feature.OTHER: "a field that is not known",
    }
)
"""What a client has said, where the name of a field does not tell."""
_AS_HERE: Mapping[Feature, str] = MappingProxyType({})


class Losses:
    """What one request loses on its way into a dialect."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[Feature, str] = {}

    def lose(self, feature: Feature, where: str) -> None:
        """`where` names the field of the canonical request, or what of it: `audio`, `stop[4]`."""
        self._found.setdefault(feature, where)

    def lose_images(self, *, has_form: bool) -> None:
        """For an API that does not draw."""
        self.lose(Feature.IMAGE_OUTPUT, "image output")
        if has_form:
            self.lose(Feature.IMAGE_OUTPUT_FORM, "the form of images")

    @property
    def features(self) -> frozenset[Feature]:
        return frozenset(self._found)

    def refusal(
        self, allowed: Lossiness, target: str, called: Mapping[Feature, str] = _AS_HERE
    ) -> Deny | None:
        """Whether the request may go on as it is; `target` names the provider's dialect, and
        `called` has the client's names of its fields."""
        if allowed is Lossiness.ALL:
            return None
        for feature, where in self._found.items():
            if allowed is Lossiness.NONE or feature not in HINTS:
                field = _called(called.get(feature), where)
                meaning = f" ({_MEANINGS[feature]})" if feature in _MEANINGS else ""
                reason = f"{field}{meaning} cannot be expressed in the API of this model ({target})"
                return Deny(400, "unsupported_parameter", reason, param=field)
        return None


def _called(name: str | None, where: str) -> str:
    """`stop[4]` is the fifth of whatever the client calls them."""
    if name is None:
        return where
    return name + where[where.rindex("[") :] if where.endswith("]") else name
