"""What the documents say about detectors is what is measured."""

from __future__ import annotations

import os

from benchmarks.detectors import PAGE, table, written


def test_the_table_of_precision_and_recall_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    if os.environ.get("REWRITE"):
        PAGE.write_text(written(page), encoding="utf-8")
    assert table() in PAGE.read_text(encoding="utf-8"), "python -m benchmarks.detectors --write"
