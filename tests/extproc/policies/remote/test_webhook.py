from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from extproc.policies.remote.webhook import WebhookCodec
from extproc.policies.remote.words import (
    FINE,
    About,
    Objection,
    Question,
    Rewritten,
    Said,
    Stamp,
    Unreadable,
)
from extproc.ports import Returned
from gateway.guards import Phase, TextScope, Webhook

SECRET = base64.b64encode(b"a secret of tests, and long").decode()
QUESTION = Question(
    About("own", Phase.REQUEST, "r1", "fast", "openai", "k", "ann", "red"),
    (Said(TextScope.SYSTEM, "be brief"), Said(TextScope.USER, "hällo")),
)


def stamp() -> Stamp:
    return Stamp("msg_1", 1_700_000_000)


def opinion(document: object, status: int = 200) -> object:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return WebhookCodec(Webhook("/")).opinion(QUESTION, [Returned(status, body)])


def test_all_texts_are_asked_about_at_once() -> None:
    (posted,) = WebhookCodec(Webhook("/check", headers=(("x-a", "b"),))).requests(QUESTION, stamp)
    assert posted.path == "/check"
    assert posted.headers == (("x-a", "b"),)
    assert json.loads(posted.body) == {
        "version": "1",
        "guard": "own",
        "phase": "request",
        "partial": False,
        "request_id": "r1",
        "model": "fast",
        "provider": "openai",
        "caller": {"key": "k", "user": "ann", "team": "red"},
        "texts": [
            {"scope": "system", "text": "be brief"},
            {"scope": "user", "text": "hällo"},
        ],
    }


def test_requests_are_signed_as_standard_webhooks_has_it() -> None:
    (posted,) = WebhookCodec(Webhook("/", SECRET)).requests(QUESTION, stamp)
    headers = dict(posted.headers)
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == "1700000000"
    signed = b"msg_1.1700000000." + posted.body
    digest = hmac.digest(b"a secret of tests, and long", signed, hashlib.sha256)
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_it_passes_blocks_or_replaces() -> None:
    assert opinion({"verdict": "pass"}) is FINE
    assert opinion({"verdict": "block"}) == Objection()
    assert opinion({"verdict": "block", "reason": "a\nb", "categories": ["x"]}) == Objection(
        "a b", ("x",)
    )
    assert opinion({"verdict": "replace", "texts": [None, "hello"]}) == Rewritten({1: "hello"})
    assert opinion({"verdict": "replace", "texts": ["be brief", "hällo"]}) is FINE


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"verdict": "pass"}, 500),
        ({"verdict": "pass"}, 204),
        (b"", 200),
        (b"pass", 200),
        ([], 200),
        ({}, 200),
        ({"verdict": "Pass"}, 200),
        ({"verdict": True}, 200),
        ({"verdict": "replace"}, 200),
        ({"verdict": "replace", "texts": ["one"]}, 200),
        ({"verdict": "replace", "texts": ["one", 2]}, 200),
    ],
)
def test_anything_else_is_no_opinion(document: object, status: int) -> None:
    with pytest.raises(Unreadable):
        opinion(document, status)
