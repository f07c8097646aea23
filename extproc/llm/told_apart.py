"""What answers tell that costs otherwise, and that Envoy does not read of them.

Envoy's `TokenUsage` has all tokens, those of caches and of reasoning; it has no sound and no
images, no tier, no caches of an hour, no searches. Where a price knows such, and the request may
lead to it, the answer is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from extproc.llm.lenient import mapping, objects, string
from gateway.price import Price

_LISTS: Final = ("messages", "input", "contents", "system", "tools")
"""Of a request in any dialect: its turns, and what else may be marked to be cached."""
_BARE: Final = 2
"""Members that a text has, with its type, of which nothing else is said."""
_BLOBS: Final = ("inlineData", "fileData")
"""Of Gemini's parts."""
_USUAL_TIERS: Final = frozenset({"", "auto", "default", "standard", "standard_only"})
_HOUR: Final = "1h"


def having_apart(prices: Iterable[Price | None]) -> tuple[Price, ...]:
    """Those of these prices that have anything apart."""
    return tuple(price for price in prices if price is not None and _has_apart(price))


def is_told_apart(request: Mapping[str, object], prices: Iterable[Price]) -> bool:
    """Whether the answer to a request may tell what one of these prices has apart."""
    return any(_is_apart(request, price) for price in prices)


def _has_apart(price: Price) -> bool:
    media = (price.audio_input, price.image_input, price.audio_output, price.image_output)
    is_kept = price.cache_write_1h not in (None, price.cache_write)
    return is_kept or bool(price.service_tiers or price.search) or any(n is not None for n in media)


def _is_apart(request: Mapping[str, object], price: Price) -> bool:
    if price.audio_output is not None or price.image_output is not None:
        return True  # of models that speak, or draw, whether they are asked to or not
    if price.service_tiers and _tier(request) not in _USUAL_TIERS:
        return True
    if price.search and _searches(request):
        return True
    kinds = (
        *(("audio", "video") if price.audio_input is not None else ()),
        *(("image",) if price.image_input is not None else ()),
    )
    if kinds and _is_any(request, lambda part: _is_of(part, kinds)):
        return True
    is_kept = price.cache_write_1h not in (None, price.cache_write)
    return is_kept and (_is_hour(request) or _is_any(request, _is_hour))


def _tier(request: Mapping[str, object]) -> str:
    """As it is asked for, in lower case."""
    return (string(request, "service_tier") or string(request, "serviceTier")).lower()


def _searches(request: Mapping[str, object]) -> bool:
    if request.get("web_search_options") is not None:
        return True
    tools = objects(request.get("tools"))
    return any(string(tool, "type").startswith("web_search") for tool in tools)


def _is_any(request: Mapping[str, object], holds: Callable[[Mapping[str, object]], bool]) -> bool:
    """Of turns, of what they hold, and of what results of tools in them do; all but bare texts."""
    for name in _LISTS:
        turns = request.get(name)
        for turn in turns if type(turns) is list else ():
            if type(turn) is not dict:
                continue
            if "cache_control" in turn and holds(turn):
                return True
            parts = turn.get("content") or turn.get("parts")
            for part in parts if type(parts) is list else ():
                if type(part) is not dict or ("text" in part and len(part) <= _BARE):
                    continue
                if holds(part) or any(map(holds, objects(part.get("content")))):
                    return True
    return False


def _is_of(part: Mapping[str, object], kinds: tuple[str, ...]) -> bool:
    """`input_audio`, `image_url`, `audio/mp3`; a file of Google's may be any."""
    if any(kind in string(part, "type") for kind in kinds):
        return True
    for name in _BLOBS:
        blob = part.get(name)
        if type(blob) is dict and (string(blob, "mimeType").lower() or kinds[0]).startswith(kinds):
            return True
    return False


def _is_hour(part: Mapping[str, object]) -> bool:
    return mapping(part, "cache_control").get("ttl") == _HOUR
