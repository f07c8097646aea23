"""Codecs of guards' services, in a test: what is sent, and what an answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from extproc.policies.remote.words import About, Codec, Opinion, Question, Said, Stamp
from extproc.ports import Returned
from gateway.guards import Phase, TextScope

USER, TOOL = TextScope.USER, TextScope.TOOL_OUTPUT


def question(*texts: str, phase: Phase = Phase.REQUEST, scope: TextScope = USER) -> Question:
    return Question(About("g", phase), tuple(Said(scope, text) for text in texts))


def sent(of: Codec, asked: Question) -> list[tuple[str, Any]]:
    """Path and body of each request."""
    posts = of.requests(asked, lambda: Stamp("m", 1))
    return [(each.path, json.loads(each.body)) for each in posts]


def opinion(of: Codec, asked: Question, *answers: Mapping[str, Any], status: int = 200) -> Opinion:
    assert len(sent(of, asked)) == len(answers)
    return of.opinion(asked, [Returned(status, json.dumps(each).encode()) for each in answers])
