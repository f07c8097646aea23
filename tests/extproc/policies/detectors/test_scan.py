from __future__ import annotations

import re
import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.detectors import Finder, Score, samples, scores, unseen_score
from extproc.policies.detectors.detector import Detector
from extproc.policies.detectors.scan import Scanner, detectors_of
from gateway.kinds import PII_GROUPS, SECRET_GROUPS, Kind
from tests.kit.detections import found

EVERY = detectors_of(Kind, ("US", "DE"))
PIECES = [
    "4111 1111 1111 1111",
    "1",
    "-",
    " ",
    ".",
    "@",
    "a@b.example",
    ":",
    "ssn ",
    "é",
    "eyJ",
    "/",
    "=",
]


@cache
def known() -> dict[Kind, Score]:
    return scores()


def test_every_kind_has_a_group_a_detector_and_samples() -> None:
    assert {*PII_GROUPS["all"], *SECRET_GROUPS["all"]} == set(Kind)
    assert {each.kind for each in EVERY} == set(Kind)
    assert {each.kind for each in samples()} == set(Kind)


def test_only_the_kinds_that_are_asked_for_are_found() -> None:
    text = "jane@example.com 4111 1111 1111 1111"
    assert found(text, [Kind.CREDIT_CARD]) == ["credit_card 4111 1111 1111 1111"]


def test_what_overlaps_is_one() -> None:
    assert found("password: AKIAIOSFODNN7EXAMPLE") == ["aws_key AKIAIOSFODNN7EXAMPLE"]


@pytest.mark.parametrize("kind", Kind)
def test_nine_of_ten_samples_are_found_and_nine_of_ten_findings_are_right(kind: Kind) -> None:
    total, negatives, right, wrong = known()[kind]
    assert total > 0
    assert negatives > 0
    assert right >= 0.9 * total
    assert wrong <= 0.1 * (right + wrong)


@pytest.mark.parametrize(
    "kind", ["credit_card", "iban", "us_ssn", "ca_sin", "email", "phone", "ip_address", "password"]
)
def test_kinds_that_matter_most_have_thirty_samples_of_both_sorts(kind: str) -> None:
    total, negatives, *_ = known()[Kind(kind)]
    assert min(total, negatives) >= 30


def test_texts_that_nobody_tuned_for_are_read_well_enough() -> None:
    score = unseen_score()
    assert score.right >= 0.8 * score.positives
    assert score.wrong <= 0.2 * (score.right + score.wrong)


def test_a_sensor_hits_wherever_its_detector_finds() -> None:
    for each in samples():
        everywhere = FINDER.scanner.find(each.text, range(len(EVERY)))
        assert FINDER.find(each.text) == everywhere, each


@pytest.mark.parametrize("detector", EVERY, ids=lambda each: each.pattern[:40])
def test_no_pattern_is_without_bound(detector: Detector) -> None:
    plain = re.sub(r"\[(?:\\.|[^\]\\])*\]", "c", detector.pattern)
    plain = re.sub(r"\\.", "e", plain)
    assert not re.search(r"[*+]|\{\d+,\}", plain)


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_findings_are_in_order_apart_and_whole_characters(pieces: list[str]) -> None:
    text = "".join(pieces).encode()
    findings = FINDER.find(text)
    end = 0
    for one in findings:
        assert end <= one.start < one.end <= len(text)
        text[one.start : one.end].decode()
        end = one.end


FINDER = Finder()


@pytest.mark.parametrize(
    "piece",
    [
        "4111 1111 1111 1112 ",
        "-----BEGIN PRIVATE KEY-----",
        "eyJhbGciOiJub25lIn0.",
        "password: password: ",
        "a@a.a.a.a.",
        "tel 12 34 56 78 90 ",
        "+1 2 3 4 5 6 7 8 9 ",
        ":::1:2:",
        "aws AKIA/+abcdefghij",
        "eyJhbGciOiJub25lIn0.ey",
        "(1)",
        "call 1 2 3 4 5 6 7 8 9 ",
        "http://a:b@",
        "a" * 70,
        "tel 0114930901820 ",
        "1.1.1.1.1",
    ],
)
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    short, long = piece * 400, piece * 3200
    FINDER.find(short.encode())
    assert _seconds(long) < 40 * _seconds(short) + 0.05


def _seconds(text: str) -> float:
    began = time.process_time()
    FINDER.find(text.encode())
    return time.process_time() - began


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        (Kind.PHONE, "(1)"),
        (Kind.PHONE, "1 "),
        (Kind.PHONE, "call 1 2 3 4 "),
        (Kind.PHONE, "(415) 555-2671 "),
        (Kind.PHONE, "+1 2 3 4 5 6 7 8 9 "),
        (Kind.EMAIL, "a"),
        (Kind.EMAIL, "a@a.a.a.a."),
        (Kind.IP_ADDRESS, "a://:"),
        (Kind.CREDIT_CARD, "4111 1111 1111 1112 "),
        (Kind.JWT, "eyJhbGciOiJub25lIn0.ey"),
    ],
)
def test_what_is_none_after_all_costs_little(kind: Kind, piece: str) -> None:
    text = f"call +49 30 901820 a@b.example 1.2.3.4 {piece * (64_000 // len(piece))}"
    finder = Finder([kind])
    finder.find(text.encode())
    began = time.process_time()
    finder.find(text.encode())
    assert time.process_time() - began < 0.2


def test_candidates_are_looked_at_so_long_and_count_as_found_from_then_on() -> None:
    finder = Finder([Kind.CREDIT_CARD])
    text = "4111111111111112 " * 500 + "4111111111111111"
    assert finder.find(text.encode()) == [(len(text) - 16, len(text), Kind.CREDIT_CARD)]
    text = "tel 4 " + "1 " * 10_000
    found_late = Finder([Kind.PHONE]).find(f"{text}{'tel 1 2 3 4 5 6 7 1 ' * 2000}".encode())
    assert found_late
    assert found_late[0].start > 1000


def test_what_is_far_from_its_words_costs_nothing() -> None:
    finder = Finder([Kind.PHONE])
    text = "1 " * 100_000 + "tel 4155552671"
    began = time.process_time()
    findings = finder.find(text.encode())
    assert time.process_time() - began < 0.1
    assert findings == [(len(text) - 10, len(text), Kind.PHONE)]


def test_a_scanner_names_its_sensors_in_order() -> None:
    assert Scanner(EVERY).sensors == tuple(each.sensor for each in EVERY)
