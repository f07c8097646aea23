"""How many tokens of each family's tokenizer the parts of a text become, measured.

Fitted to texts in 18 languages, code, data and numbers, with the tokenizers themselves;
`benchmarks/estimator.py` says how well they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Family(StrEnum):
    """Models with one tokenizer, or with nearly the same."""

    OPENAI = "openai"
    """o200k: gpt-4o and later."""
    OPENAI_OLD = "openai-old"
    """cl100k: gpt-4, gpt-3.5, embeddings."""
    CLAUDE = "claude"
    """Opus 4.7, Sonnet 5 and later."""
    CLAUDE_OLD = "claude-old"
    """Claude 3 to Opus 4.6."""
    GEMINI = "gemini"
    MISTRAL = "mistral"
    DEEPSEEK = "deepseek"
    LLAMA = "llama"
    QWEN = "qwen"
    OTHER = "other"
    """Whatever else: between all of them."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Tokens for each thing that `estimate` counts, in its order."""

    ascii: tuple[float, ...]
    """Letters, capitals, digits, line ends, punctuation; words after a space, after punctuation;
    capitals inside words; numbers; punctuation after a space."""
    scripts: tuple[float, ...]
    """Lead bytes of UTF-8: Latin-1, other Latin, Greek, Cyrillic, Hebrew, Arabic, rarer ones,
    Indic and Thai, Vietnamese and Georgian, symbols, kana, Han, Hangul, full width, emoji."""
    margin: float = 1.3
    """Times this, an estimate is exceeded by hardly any text."""


WEIGHTS: Mapping[Family, Weights] = MappingProxyType(
    {
        Family.OPENAI: Weights(
            (0.147, 0.225, 0.136, 1.213, 0.228, 0.406, 0.599, 1.299, 1.818, 0.762),
            (
                *(0.733, 1.414, 0.414, 0.276, 0.453, 0.347, 1.008, 0.416),
                *(0.806, 1.319, 0.701, 0.73, 0.7, 0.752, 1.885),
            ),
        ),
        Family.OPENAI_OLD: Weights(
            (0.166, 0.242, 0.115, 0.936, 0.182, 0.358, 0.54, 1.269, 1.94, 0.979),
            (
                *(2.091, 2.264, 1.068, 0.515, 1.213, 0.855, 1.013, 1.237),
                *(0.81, 1.748, 1.002, 1.065, 1.212, 1.148, 2.487),
            ),
            margin=1.35,
        ),
        Family.CLAUDE: Weights(
            (0.359, 1.026, 0.214, 1.217, 0.293, 0.0, 0.815, 0.887, 1.468, 0.926),
            (
                *(1.951, 1.884, 0.823, 0.446, 0.887, 0.807, 1.012, 0.986),
                *(0.889, 1.265, 0.791, 1.164, 1.384, 0.883, 3.774),
            ),
        ),
        Family.CLAUDE_OLD: Weights(
            (0.233, 0.498, 0.151, 1.347, 0.095, 0.131, 0.982, 1.505, 1.796, 1.204),
            (
                *(1.692, 1.758, 0.804, 0.444, 0.878, 0.803, 1.011, 0.978),
                *(1.165, 1.109, 0.79, 1.135, 1.382, 1.231, 3.943),
            ),
        ),
        Family.GEMINI: Weights(
            (0.147, 0.207, 0.974, 1.58, 0.067, 0.401, 1.359, 1.2, 0.94, 1.093),
            (
                *(0.652, 1.142, 0.416, 0.272, 0.521, 0.368, 1.006, 0.458),
                *(0.804, 0.407, 0.407, 0.611, 0.83, 0.883, 1.387),
            ),
        ),
        Family.MISTRAL: Weights(
            (0.184, 0.323, 0.896, 1.191, 0.23, 0.235, 0.555, 1.177, 1.158, 0.702),
            (
                *(0.911, 1.363, 0.409, 0.317, 0.52, 0.334, 1.005, 0.526),
                *(0.804, 1.323, 0.612, 0.956, 0.681, 0.923, 3.515),
            ),
        ),
        Family.DEEPSEEK: Weights(
            (0.175, 0.347, 0.17, 1.152, 0.176, 0.31, 0.826, 1.101, 1.731, 0.763),
            (
                *(1.574, 1.789, 0.537, 0.325, 0.577, 0.431, 1.011, 0.512),
                *(0.809, 1.606, 0.644, 0.592, 0.837, 0.528, 1.935),
            ),
        ),
        Family.LLAMA: Weights(
            (0.228, 0.311, 0.163, 1.013, 0.145, 0.11, 0.324, 1.072, 1.846, 0.95),
            (
                *(1.156, 0.892, 0.424, 0.342, 1.235, 0.427, 1.024, 0.727),
                *(0.819, 0.375, 0.63, 0.831, 0.765, 0.102, 2.724),
            ),
            margin=1.6,
        ),
        Family.QWEN: Weights(
            (0.17, 0.207, 0.944, 1.503, 0.192, 0.285, 0.506, 1.378, 1.036, 1.2),
            (
                *(0.771, 1.121, 0.399, 0.267, 0.6, 0.342, 1.007, 0.695),
                *(0.805, 1.874, 0.433, 0.561, 0.594, 0.782, 2.459),
            ),
        ),
        Family.OTHER: Weights(
            (0.173, 0.269, 0.546, 1.272, 0.173, 0.298, 0.702, 1.206, 1.416, 0.906),
            (
                *(0.982, 1.335, 0.432, 0.299, 0.648, 0.375, 1.006, 0.586),
                *(0.805, 1.147, 0.569, 0.713, 0.733, 0.62, 2.304),
            ),
            margin=1.5,
        ),
    }
)
