from __future__ import annotations

import pytest

from benchmarks.detectors import samples
from extproc.policies.detectors.vendors import VENDORS
from gateway.kinds import SECRET_GROUPS
from tests.kit.detections import found

KINDS = SECRET_GROUPS["vendor"]


def test_the_checksum_of_a_github_token_must_be_right() -> None:
    published = "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"
    assert found(f"token={published}", KINDS) == [f"github_token {published}"]
    assert found(published[:-1] + "8", KINDS) == []


def test_a_secret_of_aws_must_be_named() -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    assert found(f"aws_secret_access_key = {secret}", KINDS) == [f"aws_key {secret}"]
    assert found(f"AKIAIOSFODNN7EXAMPLE {secret}", KINDS) == [
        "aws_key AKIAIOSFODNN7EXAMPLE",
        f"aws_key {secret}",
    ]
    assert found(f"value = {secret}", KINDS) == []


@pytest.mark.parametrize(
    "text", ["AKIAXXXXXXXXXXXXXXXX", "ghp_" + "x" * 36, "sk-" + "0" * 48, "glpat-" + "x" * 20]
)
def test_placeholders_are_no_keys(text: str) -> None:
    assert found(text, KINDS) == []


def test_pieces_of_something_longer_are_no_keys() -> None:
    assert found("XAKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7EXAMPLEX", KINDS) == []


def test_every_vendor_has_a_sample() -> None:
    sampled = {one.kind for each in samples() for one in each.findings}
    assert {each.kind for each in VENDORS} <= sampled
