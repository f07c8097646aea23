"""What one call consumed: the word that the request path and the ledger share."""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True):
    """What the provider reported, in one meaning for all of them.

    `input_tokens` and `output_tokens` are everything; the other counts say which part of them is
    cached, audio and so on, and is priced apart. What providers count outside (Anthropic's and
    Bedrock's cached tokens, Gemini's thoughts) is added in by those who read their answers.
    """

    input_tokens: int
    output_tokens: int
    """With the reasoning."""
    cached_input_tokens: int = 0
    """Read from the provider's cache."""
    cache_write_tokens: int = 0
    """Written to it, for however long."""
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_output_tokens: int = 0
    cache_write_1h_tokens: int = 0
    """The part of `cache_write_tokens` that is kept for an hour, which costs more."""
    images: int = 0
    """Made by the call."""
    milliseconds: int = 0
    """Of sound, heard or spoken."""
    searches: int = 0
    """Of the web or of documents, where the provider charges for each (Cohere's search units)."""
    service_tier: str = ""
    """As the provider names it: `flex`, `priority`, `batch`; empty when it does not say."""
    is_estimated: bool = False
    """Nobody reported it: thought from what was sent."""
    reported: tuple[tuple[str, int], ...] = ()
    """The provider's own names and numbers, as they came."""
    characters: int = 0
    """Of text to be spoken, where the provider charges for them."""
    image_kind: str = ""
    """Of the images made, when the request says it: `1024x1024`, `hd/1024x1792`."""
    drawing: Drawing | None = None
    """What a tool of the provider's took to draw, beside the model."""

    @property
    def is_plain(self) -> bool:
        """Whether all of it is input and output at the standard price, as of most calls."""
        return not (
            self.cached_input_tokens
            or self.cache_write_tokens
            or self.reasoning_tokens
            or self.audio_input_tokens
            or self.image_input_tokens
            or self.audio_output_tokens
            or self.image_output_tokens
            or self.cache_write_1h_tokens
            or self.images
            or self.milliseconds
            or self.searches
            or self.service_tier
            or self.characters
            or self.drawing
        )

    @property
    def total_tokens(self) -> int:
        drawn = 0 if self.drawing is None else self.drawing.usage.total_tokens
        return self.input_tokens + self.output_tokens + drawn


class Drawing(Struct, frozen=True):
    """What a tool took that has a model of its own."""

    model: str
    usage: Usage
    cost: int = 0
    """In nanodollars, where its price is known."""
