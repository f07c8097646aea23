"""Sources of an answer: `groundingMetadata` and `citationMetadata`.

https://ai.google.dev/api/generate-content#GroundingMetadata. Gemini counts bytes within a part, we
count characters of all text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from extproc.llm.answer import Citation
from extproc.llm.lenient import objects


def read(candidate: Mapping[str, object], texts: Sequence[str]) -> Iterator[Citation]:
    """`texts` are those of the candidate's parts; empty where a part is none of the answer's."""
    grounding = candidate.get("groundingMetadata")
    if type(grounding) is dict:
        yield from _grounded(grounding, texts)
    cited = candidate.get("citationMetadata")
    if type(cited) is dict:
        sources = cited.get("citationSources") or cited.get("citations")
        whole = "".join(texts)
        for source in objects(sources):
            url = source.get("uri")
            if type(url) is str and url:
                start, end = _count(source, "startIndex"), _count(source, "endIndex")
                title = source.get("title")
                yield Citation(
                    url,
                    title if type(title) is str else "",
                    _characters(whole, start),
                    _characters(whole, end),
                )


def write(citations: Sequence[Citation], texts: Sequence[str]) -> dict[str, object]:
    """The value of `groundingMetadata`, for one or more citations."""
    chunks: list[dict[str, object]] = []
    places: dict[tuple[str, str], int] = {}
    supports: list[dict[str, object]] = []
    for citation in citations:
        source = (citation.url, citation.title)
        if source not in places:
            places[source] = len(chunks)
            chunks.append({"web": {"uri": citation.url, "title": citation.title}})
        if citation.end > citation.start:
            supports.append(
                {
                    "segment": _segment(citation, texts),
                    "groundingChunkIndices": [places[source]],
                }
            )
    said: dict[str, object] = {"groundingChunks": chunks}
    if supports:
        said["groundingSupports"] = supports
    return said


def _grounded(grounding: Mapping[str, object], texts: Sequence[str]) -> Iterator[Citation]:
    chunks = [
        source if type(source := chunk.get("web") or chunk.get("retrievedContext")) is dict else {}
        for chunk in objects(grounding.get("groundingChunks"))
    ]
    supported: set[int] = set()
    for support in objects(grounding.get("groundingSupports")):
        segment = support.get("segment")
        start, end = _span(segment, texts) if type(segment) is dict else (0, 0)
        indices = support.get("groundingChunkIndices")
        for index in indices if type(indices) is list else ():
            if type(index) is int and 0 <= index < len(chunks):
                supported.add(index)
                yield from _cited(chunks[index], start, end)
    for index, chunk in enumerate(chunks):
        if index not in supported:
            yield from _cited(chunk, 0, 0)


def _cited(source: Mapping[str, object], start: int, end: int) -> Iterator[Citation]:
    url, title = source.get("uri"), source.get("title")
    if type(url) is str and url:
        yield Citation(url, title if type(title) is str else "", start, end)


def _span(segment: Mapping[str, object], texts: Sequence[str]) -> tuple[int, int]:
    part = _count(segment, "partIndex")
    if part >= len(texts):
        return 0, 0
    before = sum(map(len, texts[:part]))
    text = texts[part] if part else "".join(texts)  # many leave the part out
    start, end = _count(segment, "startIndex"), _count(segment, "endIndex")
    return before + _characters(text, start), before + _characters(text, end)


def _segment(citation: Citation, texts: Sequence[str]) -> dict[str, object]:
    whole = "".join(texts)
    return {
        "startIndex": len(whole[: citation.start].encode()),
        "endIndex": len(whole[: citation.end].encode()),
        "text": whole[citation.start : citation.end],
    }


def _characters(text: str, size: int) -> int:
    """How many characters the first bytes of a text are."""
    if text.isascii():
        return min(size, len(text))
    return len(text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore"))


def _count(value: Mapping[str, object], name: str) -> int:
    count = value.get(name)
    return count if type(count) is int and count > 0 else 0
