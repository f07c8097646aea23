from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.dialect import Call
from extproc.llm.others import multipart as reading
from extproc.llm.others.multipart import FormReading
from extproc.protocols import bodies, json_spans
from extproc.rewording import Reworded
from extproc.verdict import Deny

FILE = ("a.wav", b"\x00\xff\r\nRIFF", "audio/wav")
EVERY = {
    "edits": reading.IMAGE_EDITS,
    "variations": reading.IMAGE_VARIATIONS,
    "transcriptions": reading.TRANSCRIPTIONS,
    "translations": reading.TRANSLATIONS,
}
rows = pytest.mark.parametrize("read", EVERY.values(), ids=EVERY)
FIELDS: Mapping[str, str] = {"model": "m", "prompt": "say secret", "n": "2"}


def renamed(body: bytes, model: str) -> bytes:
    return bodies.replace(body, {"model": json_spans.encode(model)})


class Masking:
    def __init__(self) -> None:
        self.said: list[str] = []

    def text(self, text: str) -> str:
        return text.replace("secret", "[x]")

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        return pieces

    def fixed(self, text: str) -> None:
        self.said.append(text)


def form(
    fields: Mapping[str, str | list[str]], files: Sequence[tuple[str, object]] = (("file", FILE),)
) -> tuple[bytes, str]:
    """As OpenAI's library sends it."""
    request = httpx.Request("POST", "http://a", data=fields, files=list(files))
    return request.read(), request.headers["content-type"]


def decoded(read: FormReading, body: bytes, content_type: str, model: str = "") -> Call:
    call = read.decode_typed(body, content_type, model)
    assert isinstance(call, Call), call
    return call


def fault(read: FormReading, body: bytes, content_type: str, model: str = "") -> Deny:
    deny = read.decode_typed(body, content_type, model)
    assert isinstance(deny, Deny)
    return deny


@rows
def test_a_form_is_read_and_its_files_are_not(read: FormReading) -> None:
    body, content_type = form(FIELDS)
    call = decoded(read, body, content_type)
    assert (call.model, call.is_stream, call.size_bytes) == ("m", False, len(body))
    assert call.document["file"] == {"filename": "a.wav", "content_type": "audio/wav", "bytes": 8}
    assert call.document["n"] == 2
    texts = read.texts(call.document)
    assert {"say secret", "a.wav"} <= set(texts)
    assert read.estimate_input_tokens(call) > 0
    assert read.decode(body, "", is_stream=False) == call


@rows
def test_another_model_is_named_and_files_stay(read: FormReading) -> None:
    body, content_type = form(FIELDS)
    after = renamed(body, "a/b")
    assert after == bodies.replace(body, read.rename(decoded(read, body, content_type), "a/b"))
    call = decoded(read, after, content_type)
    assert call.model == "a/b"
    assert dict(call.document) == {
        **decoded(read, body, content_type).document,
        "model": "a/b",
    }
    assert FILE[1] in after


@rows
def test_texts_are_reworded(read: FormReading) -> None:
    body, _ = form({**FIELDS, "keywords[]": ["a secret", "b"]})
    masking = Masking()
    reworded = read.reword(body, masking)
    assert isinstance(reworded, Reworded)
    after = bodies.replace(body, reworded.values)
    assert after == body.replace(b"secret", b"[x]")
    assert {"a.wav", "audio/wav"} <= set(masking.said)
    assert "say [x]" in reworded.texts


def test_a_file_where_a_text_is_meant_is_read_as_one() -> None:
    read = EVERY["edits"]
    files = [
        ("image", ("a.png", b"\x89PNG", "image/png")),
        ("mask", ("secret mask", b"of a secret", "text/plain")),
        ("negative_prompt", ("p.txt", b"no secret words", "application/octet-stream")),
        ("more", ("b", b"\xff\x00", "application/octet-stream")),
    ]
    body, content_type = form({"model": "m", "prompt": "a"}, files)
    texts = read.texts(decoded(read, body, content_type).document)
    assert not isinstance(texts, Deny)
    assert "no secret words" in texts
    assert "of a secret" not in texts  # files are never decoded
    masking = Masking()
    assert isinstance(read.reword(body, masking), Reworded)
    assert "no secret words" in masking.said


def test_a_new_text_cannot_end_its_part() -> None:
    body, content_type = form(FIELDS)
    boundary = content_type.partition("boundary=")[2]

    class Breaking(Masking):
        def text(self, text: str) -> str:
            return f"\r\n--{boundary}--" if text == "say secret" else text

    refusal = reading.TRANSCRIPTIONS.reword(body, Breaking())
    assert isinstance(refusal, Deny)
    assert refusal.param == "prompt"


@rows
@pytest.mark.parametrize(
    "name", ["Model", "model[]", "model[0]", " model", "model.", "MODEL[]", "m%6f"]
)
def test_a_name_that_could_be_read_as_the_model_is_refused(read: FormReading, name: str) -> None:
    body, content_type = form({**FIELDS, name: "n"})
    assert fault(read, body, content_type).code == "ambiguous_key"


@rows
def test_a_model_that_is_said_twice_or_in_a_file_is_refused(read: FormReading) -> None:
    body, content_type = form({**FIELDS, "model": ["m", "n"]})
    assert fault(read, body, content_type).code == "duplicate_key"
    body, content_type = form({"prompt": "a"}, [("model", ("m", b"m"))])
    assert fault(read, body, content_type).param == "model"
    body, content_type = form({"prompt": "a"})
    assert fault(read, body, content_type).param == "model"


@rows
def test_a_path_that_names_the_model_and_the_form_agree(read: FormReading) -> None:
    body, content_type = form({"prompt": "a"})
    assert decoded(read, body, content_type, "deployed").model == "deployed"
    assert decoded(read, renamed(body, "n"), content_type).model == "n"
    body, content_type = form(FIELDS)
    assert fault(read, body, content_type, "deployed").param == "model"


@pytest.mark.parametrize(("said", "is_stream"), [("true", True), ("True", True), ("false", False)])
def test_streams_are_known(said: str, is_stream: bool) -> None:
    body, content_type = form({**FIELDS, "stream": said})
    assert decoded(reading.TRANSCRIPTIONS, body, content_type).is_stream is is_stream


@pytest.mark.parametrize(
    ("name", "said"),
    [("stream", "1"), ("stream", "yes"), ("n", "two"), ("n", "-1"), ("n", "٣"), ("n", "0")],
)
def test_what_servers_read_differently_is_refused(name: str, said: str) -> None:
    body, content_type = form({**FIELDS, name: said})
    assert fault(reading.IMAGE_EDITS, body, content_type).param == name


def test_edits_may_be_asked_for_in_json() -> None:
    url = "data:image/png;base64,AAAA"
    document = {"model": "m", "prompt": "say secret", "images": [{"image_url": url}]}
    body = json.dumps(document).encode()
    call = decoded(reading.IMAGE_EDITS, body, "application/json; charset=utf-8")
    assert reading.IMAGE_EDITS.texts(call.document) == ("say secret",)
    reworded = reading.IMAGE_EDITS.reword(body, Masking())
    assert isinstance(reworded, Reworded)
    assert reworded.values == {"prompt": b'"say [x]"'}
    assert json.loads(renamed(body, "n")) == {**document, "model": "n"}


@rows
@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=b"],
)
def test_other_bodies_are_refused(read: FormReading, content_type: str) -> None:
    body, _ = form(FIELDS)
    assert fault(read, body, content_type).status == 415


def test_a_form_that_says_it_is_json_is_refused() -> None:
    body, content_type = form(FIELDS)
    assert fault(reading.IMAGE_EDITS, body, "application/json").status == 415
    assert fault(reading.IMAGE_EDITS, b'{"model":"m"}', content_type).code == "invalid_form"


@given(st.binary(max_size=60))
def test_no_body_is_too_strange(body: bytes) -> None:
    for content_type in ("multipart/form-data; boundary=b", "application/json"):
        assert isinstance(reading.TRANSLATIONS.decode_typed(body, content_type, ""), Deny)
