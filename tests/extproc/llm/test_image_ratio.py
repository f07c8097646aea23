from __future__ import annotations

import pytest

from extproc.llm.image_ratio import nearest, of_size

KNOWN = ("1:1", "3:2", "2:3", "16:9", "21:9")


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ("1024x1024", "1:1"),
        ("1536x1024", "3:2"),
        ("1920x1080", "16:9"),
        ("auto", ""),
        ("", ""),
        ("0x7", ""),
        ("1024", ""),
        ("-1x2", ""),
        ("9999999x1", ""),
    ],
)
def test_the_ratio_of_a_size(size: str, ratio: str) -> None:
    assert of_size(size) == ratio


@pytest.mark.parametrize(
    ("ratio", "found"),
    [
        ("16:9", "16:9"),
        ("17:9", "16:9"),
        ("9:8", "1:1"),
        ("1:9", "2:3"),
        ("9:1", "21:9"),
        ("wide", ""),
        ("1:0", ""),
        ("", ""),
    ],
)
def test_the_nearest_is_the_least_wider_or_narrower(ratio: str, found: str) -> None:
    assert nearest(ratio, KNOWN) == found
