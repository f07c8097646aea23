"""What in requests that are no conversation is structure and not text, field by field.

https://platform.openai.com/docs/api-reference, https://docs.cohere.com/reference/rerank,
https://api.jina.ai/redoc. What is not listed is text. Names that end in `[]` are those of forms.
"""

from __future__ import annotations

from extproc.llm.shapes import FREE, Attachment, Fields, Parts, Rule, Unread

_FILE = Attachment(
    {
        "image_url": Unread.DATA_URL,
        "url": Unread.DATA_URL,
        "detail": frozenset({"auto", "low", "high"}),
        "file_id": Unread.STRING,
        "filename": FREE,
        "content_type": FREE,
        "bytes": Unread.ALL,
    }
)
"""A file in a form, or what stands for it in JSON."""


def _settings(*names: str) -> dict[str, Rule]:
    return dict.fromkeys(("model", *names), Unread.ALL)


COMPLETIONS: Fields = {
    **_settings(
        "best_of",
        "echo",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "n",
        "presence_penalty",
        "seed",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
    ),
    **dict.fromkeys(("prompt", "stop", "suffix", "user"), FREE),
}
EMBEDDINGS: Fields = {
    **_settings("dimensions"),
    "encoding_format": frozenset({"float", "base64"}),
    **dict.fromkeys(("input", "user"), FREE),
}
MODERATIONS: Fields = {
    **_settings(),
    "input": Parts(
        {"type": frozenset({"text", "image_url"}), "text": FREE, "image_url": _FILE},
    ),
}
_IMAGE: Fields = {
    **_settings(
        "background",
        "complexity",
        "frame_count",
        "frame_duration_ms",
        "input_fidelity",
        "moderation",
        "n",
        "output_compression",
        "output_format",
        "partial_images",
        "quality",
        "response_format",
        "size",
        "stream",
    ),
    "style": frozenset({"natural", "vivid"}),
    **dict.fromkeys(("prompt", "safety_identifier", "svg", "user"), FREE),
}
IMAGE_GENERATIONS: Fields = _IMAGE
IMAGE_EDITS: Fields = {
    **_IMAGE,
    **dict.fromkeys(("image", "image[]", "images", "mask", "markup"), _FILE),
}
"""Of variations too."""
SPEECH: Fields = {
    **_settings("response_format", "speed", "stream_format"),
    **dict.fromkeys(("input", "instructions", "voice"), FREE),
}
TRANSCRIPTIONS: Fields = {
    **_settings(
        "chunking_strategy",
        "include",
        "include[]",
        "response_format",
        "stream",
        "temperature",
        "timestamp_granularities",
        "timestamp_granularities[]",
    ),
    "file": _FILE,
    **dict.fromkeys(("known_speaker_references", "known_speaker_references[]"), Attachment(_FILE)),
    **dict.fromkeys(
        (
            "keywords",
            "keywords[]",
            "known_speaker_names",
            "known_speaker_names[]",
            "language",
            "languages",
            "languages[]",
            "prompt",
        ),
        FREE,
    ),
}
"""Of translations too."""
RERANK: Fields = {
    **_settings(
        "max_chunks_per_doc",
        "max_tokens_per_doc",
        "priority",
        "return_documents",
        "top_n",
        "truncation",
    ),
    **dict.fromkeys(("documents", "query", "rank_fields"), FREE),
}
