from __future__ import annotations

import asyncio
import gzip
import json
from datetime import UTC, datetime

import pytest

from extproc.events import ResponseBody
from extproc.facts import Facts
from extproc.guarding import Watchman
from extproc.inquiring import Inquirer
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.usage_reader import UsageReader
from extproc.overseeing import LARGEST_BUFFERED_BYTES, Guarding, Overseen, Said
from extproc.policies.guard import Guards
from gateway.model import Dialect, Guard, GuardTerms, Phase, RegexGuard, TextScope
from tests.kit.opinions import Webhooks, objecting, replacing, webhook_guard
from tests.kit.watched import answer_guard, watchman

ASKED = Asked("fast", "1", 1)
JSON = {"content-type": "application/json; charset=utf-8"}
SSE = {"content-type": "text/event-stream"}
ANSWER = json.dumps(
    {
        "choices": [{"message": {"role": "assistant", "content": "my SSN"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
).encode()


def guarding(guard: RegexGuard, *, is_stream: bool = False) -> Guarding:
    return Guarding(
        watchman(guard), Dialect.OPENAI_CHAT, is_stream, False, False, Inquirer.of_nobody()
    )


def taken(overseen: Overseen, piece: tuple[bytes, bool]) -> Said:
    """At once."""
    said = overseen.take(ResponseBody(*piece), ASKED)
    assert isinstance(said, Said)
    return said


MASK, BLOCK = answer_guard("SSN", mask="*"), answer_guard("SSN")


def test_a_whole_answer_waits_with_its_status_however_long_it_is() -> None:
    known = Overseen(guarding(MASK), {**JSON, "content-length": "10"}, None)
    unknown = Overseen(guarding(MASK), JSON, None)
    large = {**JSON, "content-length": str(LARGEST_BUFFERED_BYTES + 1)}
    for overseen in (known, unknown, Overseen(guarding(MASK), large, None)):
        assert overseen.waits
    assert known.watch(()).is_whole
    assert unknown.watch(()).is_beginning
    assert not unknown.watch(()).is_whole


def test_a_stream_does_not_wait() -> None:
    overseen = Overseen(guarding(MASK, is_stream=True), SSE, None)
    assert not overseen.waits
    watch = overseen.watch((("a", "b"),), ("c",))
    assert (watch.is_whole, watch.is_beginning) == (False, False)
    assert watch.set_headers == (("a", "b"),)
    assert set(watch.remove_headers) == {"content-length", "content-encoding", "c"}


def test_a_stream_that_is_answered_whole_waits() -> None:
    assert Overseen(guarding(MASK, is_stream=True), JSON, None).waits


def test_what_is_compressed_is_read_and_its_usage_too() -> None:
    reader = UsageReader()
    overseen = Overseen(guarding(MASK), {**JSON, "content-encoding": "gzip"}, reader)
    said = taken(overseen, (gzip.compress(ANSWER), True))
    assert json.loads(said.body)["choices"][0]["message"]["content"] == "my *"
    assert said.denied is None
    reader.end()
    assert reader.usage is not None
    assert reader.usage.output_tokens == 4


def test_what_cannot_be_unpacked_does_not_go_on() -> None:
    with pytest.raises(UnreadableAnswer):
        Overseen(guarding(MASK), {**JSON, "content-encoding": "lzw"}, None)
    overseen = Overseen(guarding(MASK), {**JSON, "content-encoding": "gzip"}, None)
    with pytest.raises(UnreadableAnswer):
        taken(overseen, (ANSWER, True))


def test_what_envoy_shows_half_does_not_go_on() -> None:
    with pytest.raises(UnreadableAnswer):
        Overseen(guarding(MASK), JSON, None).take(ResponseBody(ANSWER, False), ASKED)


def test_a_denial_says_itself_where_the_status_has_gone_on() -> None:
    whole = Overseen(guarding(BLOCK), JSON, None).take(ResponseBody(ANSWER, True), ASKED)
    assert whole.denied is not None
    assert whole.body == b""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"SSN"}}]}\n\n'
    overseen = Overseen(guarding(BLOCK, is_stream=True), SSE, None)
    streamed = taken(overseen, (event, True))
    assert streamed.denied is not None
    assert b"content_policy_violation" in streamed.body
    assert b"SSN" not in streamed.body


# --- services are asked --------------------------------------------------------------------

TERMS = GuardTerms(phase=Phase.RESPONSE, window=10)
ASSISTANTS = GuardTerms(
    phase=Phase.RESPONSE, window=10, texts=frozenset({TextScope.ASSISTANT, TextScope.TOOL_OUTPUT})
)


def asked(
    webhooks: Webhooks,
    *guards: Guard,
    is_stream: bool,
    kind: dict[str, str],
    terms: GuardTerms = TERMS,
) -> Overseen:
    """Past a guard that asks a service, and others."""
    made = Guards([webhook_guard("own", terms=terms), *guards], phase=Phase.RESPONSE)
    watchman = Watchman(made, Facts(now=datetime(2030, 1, 1, tzinfo=UTC), model="fast"))
    chat = Dialect.OPENAI_CHAT
    guarding = Guarding(watchman, chat, is_stream, False, False, webhooks.inquirer)
    return Overseen(guarding, kind, None)


def chunk(text: str) -> bytes:
    document = {"choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def heard(said: bytes) -> str:
    """All that a stream says."""
    documents = [json.loads(line[6:]) for line in said.splitlines() if line.startswith(b"data: {")]
    choices = [each["choices"][0] for each in documents if "choices" in each]
    return "".join(each["delta"].get("content", "") for each in choices)


async def taken_later(overseen: Overseen, pieces: list[bytes]) -> list[Said]:
    """All pieces before any of them has gone on, as Envoy shows them."""
    waiting: list[asyncio.Future[Said]] = []
    for at, piece in enumerate(pieces):
        said = overseen.take(ResponseBody(piece, at == len(pieces) - 1), ASKED)
        if isinstance(said, Said):
            assert not waiting, "in order"
            waiting.append(asyncio.get_running_loop().create_future())
            waiting[-1].set_result(said)
        else:
            waiting.append(asyncio.ensure_future(said))
    order: list[int] = []
    for at, each in enumerate(waiting):
        each.add_done_callback(lambda _, at=at: order.append(at))
    found = list(await asyncio.gather(*waiting))
    assert order == sorted(order)
    return found


async def _stream(webhooks: Webhooks, texts: list[str]) -> tuple[str, list[Said]]:
    overseen = asked(webhooks, is_stream=True, kind=SSE)
    pieces = [*map(chunk, texts), b"data: [DONE]\n\n"]
    found: list[Said] = []
    for at, piece in enumerate(pieces):
        said = overseen.take(ResponseBody(piece, at == len(pieces) - 1), ASKED)
        found.append(said if isinstance(said, Said) else await said)
        if found[-1].denied is not None:
            break
    return heard(b"".join(each.body for each in found)), found


def test_a_whole_answer_waits_for_the_services_of_its_guards() -> None:
    webhooks = Webhooks({"own": replacing("SSN", "[n]")})
    overseen = asked(webhooks, is_stream=False, kind={**JSON, "content-length": "10"})
    (said,) = asyncio.run(taken_later(overseen, [ANSWER]))
    assert json.loads(said.body)["choices"][0]["message"]["content"] == "my [n]"
    overseen = asked(Webhooks({"own": objecting("SSN")}), is_stream=False, kind=JSON)
    (said,) = asyncio.run(taken_later(overseen, [ANSWER]))
    assert said.denied is not None
    assert said.body == b""


def test_a_stream_goes_on_sentence_by_sentence() -> None:
    webhooks = Webhooks({"own": replacing("cat", "dog")})
    texts = ["It is a ", "cat. ", "It ", "sleeps ", "well. ", "So do I."]
    text, found = asyncio.run(_stream(webhooks, texts))
    assert text == "It is a dog. It sleeps well. So do I."
    parts = [each for _, (each,) in webhooks.asked]
    assert parts == ["It is a cat. ", "It sleeps well. ", "So do I."]
    assert [heard(each.body) for each in found] == [
        "", "It is a dog. ", "", "", "It sleeps well. ", "", "So do I.",
    ]  # fmt: skip


def test_where_no_sentence_ends_twice_the_window_is_asked_about() -> None:
    webhooks = Webhooks({"own": lambda texts: {"verdict": "pass"}})
    text, _ = asyncio.run(_stream(webhooks, ["abcd"] * 12))
    assert text == "abcd" * 12
    assert [len(each) for _, (each,) in webhooks.asked] == [20, 20, 8]


def test_a_stream_is_cut_where_a_service_objects_and_says_why() -> None:
    webhooks = Webhooks({"own": objecting("cat", reason="no cats")})
    text, found = asyncio.run(_stream(webhooks, ["All is well. ", "Here is a cat. ", "More. "]))
    assert text == "All is well. "
    assert found[-1].denied is not None
    assert b"no cats (guard 'own')" in found[-1].body


def test_pieces_that_come_while_a_service_is_asked_go_on_in_their_order() -> None:
    webhooks = Webhooks({"own": replacing("cat", "dog")})
    overseen = asked(webhooks, is_stream=True, kind=SSE)
    pieces = [chunk("It is a cat. "), chunk("It sleeps. "), chunk("Well."), b"data: [DONE]\n\n"]
    found = asyncio.run(taken_later(overseen, pieces))
    assert heard(b"".join(each.body for each in found)) == "It is a dog. It sleeps. Well."
    assert found[-1].is_end


def test_nothing_goes_on_after_what_a_service_objects_to() -> None:
    webhooks = Webhooks({"own": objecting("cat")})
    overseen = asked(webhooks, is_stream=True, kind=SSE)
    pieces = [chunk("It is a cat. "), chunk("It sleeps very well. "), b"data: [DONE]\n\n"]
    found = asyncio.run(taken_later(overseen, pieces))
    assert found[0].denied is not None
    assert [each.body for each in found[1:]] == [b"", b""]


def test_a_stream_that_cannot_be_checked_ends() -> None:
    text, found = asyncio.run(_stream(Webhooks({}), ["It is a long cat. "]))
    assert text == ""
    assert found[-1].denied is not None
    assert found[-1].denied.status == 503


def test_blank_text_is_nobodys_question() -> None:
    webhooks = Webhooks({"own": lambda texts: {"verdict": "pass"}})
    text, _ = asyncio.run(_stream(webhooks, [" " * 30, "\n"]))
    assert text == " " * 30 + "\n"
    assert webhooks.asked == []


def test_what_no_guard_reads_waits_for_nobody() -> None:
    webhooks = Webhooks({"own": objecting("cat")})
    overseen = asked(webhooks, is_stream=True, kind=SSE, terms=ASSISTANTS)
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "a cat. A cat. "}}]}
    piece = b"data: " + json.dumps(thought).encode() + b"\n\n"
    said = overseen.take(ResponseBody(piece, False), ASKED)
    assert said == Said(piece, None, False)
    assert webhooks.asked == []


def test_guards_of_our_own_stand_before_and_behind_those_that_ask() -> None:
    webhooks = Webhooks({"own": replacing("cat", "SSN 1")})
    mask = answer_guard(r"SSN \d", mask="[n]", window=8)
    overseen = asked(webhooks, mask, is_stream=True, kind=SSE)
    pieces = [chunk("A cat sleeps. "), chunk("It is SSN 2. "), b"data: [DONE]\n\n"]
    found = asyncio.run(taken_later(overseen, pieces))
    assert heard(b"".join(each.body for each in found)) == "A [n] sleeps. It is [n]. "
    block = answer_guard(r"SSN \d", window=8)
    found = asyncio.run(taken_later(asked(webhooks, block, is_stream=True, kind=SSE), pieces))
    assert found[-1].denied is not None or any(each.denied for each in found)
    assert "SSN" not in heard(b"".join(each.body for each in found))
