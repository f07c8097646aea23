"""Sources of an answer: bytes of Gemini's parts, characters of ours."""

from __future__ import annotations

from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.answer import Citation
from extproc.llm.gemini import citations

TEXT = "Köln liegt am Rhein. Paris an der Seine."


def read(candidate: dict[str, object], *texts: str) -> list[Citation]:
    return list(citations.read(candidate, texts))


def test_bytes_become_characters() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}, {"web": {}}, {}],
        "groundingSupports": [
            {
                "segment": {"startIndex": 22, "endIndex": 41},
                "groundingChunkIndices": [0, 1, 9, "x"],
            }
        ],
    }
    assert read({"groundingMetadata": grounding}, TEXT) == [Citation("https://a", "A", 21, 40)]
    assert TEXT[21:40] == "Paris an der Seine."


def test_a_segment_may_be_of_a_later_part() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a"}}],
        "groundingSupports": [
            {"segment": {"partIndex": 1, "endIndex": 2}, "groundingChunkIndices": [0]},
            {"segment": {"partIndex": 7, "endIndex": 2}, "groundingChunkIndices": [0]},
        ],
    }
    assert read({"groundingMetadata": grounding}, "abc", "öx") == [
        Citation("https://a", "", 3, 4),
        Citation("https://a"),
    ]


def test_sources_that_nothing_refers_to_are_told_too() -> None:
    grounding = {"groundingChunks": [{"retrievedContext": {"uri": "gs://b/a", "title": "A"}}]}
    assert read({"groundingMetadata": grounding}, TEXT) == [Citation("gs://b/a", "A")]


def test_both_apis_names_of_recitations_are_read() -> None:
    source = {"startIndex": 0, "endIndex": 5, "uri": "https://a"}
    for name in ("citationSources", "citations"):
        assert read({"citationMetadata": {name: [source]}}, TEXT) == [
            Citation("https://a", "", 0, 4)
        ]
    assert read({"citationMetadata": {"citations": [{"license": "mit"}]}}, TEXT) == []


SPANS = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted)


@given(st.text(min_size=20, max_size=30), st.lists(SPANS, max_size=4))
def test_what_is_written_is_read_as_the_same(text: str, spans: list[list[int]]) -> None:
    said = [
        Citation(f"https://example.com/{index}", "A title", start, end)
        for index, (start, end) in enumerate(spans)
        if start < end
    ]
    written = citations.write(said, [text])
    types.GroundingMetadata.model_validate(written)
    assert read({"groundingMetadata": written}, text) == said
