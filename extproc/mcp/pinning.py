"""Definitions of tools that have changed since they were known, or are new: a server that was
trusted can turn, and say something else to the models that read it.

A definition is what a model or a client decides by: name, title, description, schemas, annotations.
What a server lists first is known from then on.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from extproc.mcp.lists import Listed, Page
from extproc.ports import Pin, PinsUnavailable, Seen, ToolPins
from extproc.protocols import json_spans
from extproc.verdict import By, Deny, PolicyKind
from gateway.mcp import PinMode, PinTerms

logger = logging.getLogger(__name__)

NAME: Final = "pinning"
"""Of what refuses, in counters."""
_MEMBERS: Final = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_MOST_DIGESTS: Final = 16_384
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{6,}")
"""Of a definition; shorter ones are seldom names."""
_canonical = msgspec.json.Encoder(order="sorted")
_BY = By(PolicyKind.GUARD, NAME)
_UNKNOWN: Final = Deny(503, "tool_unverified", "what is known of tools cannot be read", by=_BY)


class Pinning:
    """The servers of a configuration whose tools are pinned."""

    __slots__ = ("_digests", "_pins", "_terms")

    def __init__(self, pins: ToolPins, terms: Mapping[str, PinTerms]) -> None:
        """`terms`: by server."""
        self._pins, self._terms = pins, terms
        self._digests: dict[bytes, tuple[str, str]] = {}
        """Of entries as they were written: digest and definition."""

    def passed(self, server: str, page: Page) -> Page:
        """A list of tools, without those that are held back. Raises `PinsUnavailable`."""
        terms = self._terms.get(server)
        if terms is None:
            return page
        known = self._pins.of(server)
        is_first = not known
        news: list[Seen] = []
        shown: list[Listed] = []
        for entry in page.entries:
            digest, text = self._digest(entry.text)
            pin = known.get(entry.name)
            now = _now(pin, digest, is_taken=is_first or not terms.holds_new)
            if pin is None or pin.seen != digest:
                news.append(Seen(entry.name, now.known, now.seen, text))
                if pin is not None and now.is_pending:
                    logger.warning("the MCP server %s has changed its tool %s", server, entry.name)
                elif pin is None and not is_first:
                    logger.warning("the MCP server %s has a new tool: %s", server, entry.name)
            if not (now.is_pending and terms.mode is PinMode.QUARANTINE):
                shown.append(entry)
        if news:
            self._warn_of_shadows(server, news)
            self._pins.put(server, news)
        return page if len(shown) == len(page.entries) else replace(page, entries=tuple(shown))

    def refusal(self, server: str, tool: str) -> Deny | None:
        """Why a tool may not be called; None: it may."""
        terms = self._terms.get(server)
        if terms is None or terms.mode is not PinMode.QUARANTINE or not tool:
            return None
        try:
            known = self._pins.of(server)
        except PinsUnavailable as error:
            logger.warning("a tool is not called: %s", error)
            return _UNKNOWN
        pin = known.get(tool)
        is_held = terms.holds_new and bool(known) if pin is None else pin.is_pending
        if not is_held:
            return None
        what = "has changed" if pin is not None and pin.known else "is new"
        reason = f"the tool '{tool}' of '{server}' {what}, and nobody has approved that"
        return Deny(403, "tool_quarantined", reason, by=_BY)

    def _warn_of_shadows(self, server: str, news: Sequence[Seen]) -> None:
        others = {
            tool: other for other in self._terms if other != server for tool in self._pins.of(other)
        }
        for tool, whose in shadows(news, others):
            logger.warning("the tool %s of the MCP server %s speaks of %s", tool, server, whose)

    def _digest(self, entry: bytes) -> tuple[str, str]:
        found = self._digests.get(entry)
        if found is None:
            if len(self._digests) >= _MOST_DIGESTS:
                self._digests.clear()
            found = self._digests[entry] = digest_of(entry)
        return found


def shadows(news: Sequence[Seen], others: Mapping[str, str]) -> list[tuple[str, str]]:
    """Tools that are called like another server's, or whose definition names one: they may tell
    models to use that otherwise. `others`: tool → server."""
    own = {each.tool for each in news}
    found: list[tuple[str, str]] = []
    for each in news:
        said = {word.strip("._-") for word in _WORD.findall(each.text)} - own
        named = {each.tool, *said} & others.keys()
        found += [(each.tool, f"{name} of {others[name]}") for name in sorted(named)]
    return found


def digest_of(entry: bytes) -> tuple[str, str]:
    """The SHA-256 of a definition, and the definition, as canonical JSON."""
    document = json_spans.decode(entry)
    text = _canonical.encode({name: document[name] for name in _MEMBERS if name in document})
    return hashlib.sha256(text).hexdigest(), text.decode()


def _now(pin: Pin | None, digest: str, *, is_taken: bool) -> Pin:
    """What is known of a tool whose definition has this digest; `is_taken`: new ones are."""
    if pin is None:
        return Pin(digest if is_taken else "", digest)
    return Pin(pin.known, digest)
