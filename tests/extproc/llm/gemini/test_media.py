"""Bytes and files, both ways."""

from __future__ import annotations

import pytest
from google.genai import types

from extproc.llm.faults import Unfit
from extproc.llm.gemini.base64_forms import encoded
from extproc.llm.gemini.media import Medium, read_blob, read_file, write_medium
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import Audio, Document, Image, Inline, Plain, Remote, Uploaded, Video

FILE = "https://generativelanguage.googleapis.com/v1beta/files/abc"
MEDIA: list[Medium] = [
    Image(Inline("image/png", "QUJD")),
    Image(Remote("https://example.com/cat.png", "image/png")),
    Image(Uploaded(FILE, "image/png")),
    Document(Inline("application/pdf", "QUJD"), "report.pdf"),
    Document(Plain("Ein Text")),
    Document(Remote("https://example.com/a.pdf", "application/pdf")),
    Document(Uploaded("gs://bucket/a.pdf", "application/pdf")),
    Audio(Inline("audio/wav", "QUJD")),
    Video(Inline("video/mp4", "QUJD")),
    Video(Remote("https://youtu.be/x", "video/mp4")),
]


def read(part: dict[str, object]) -> Medium:
    return (
        read_blob(part["inlineData"], "")
        if "inlineData" in part
        else read_file(part["fileData"], "")
    )


@pytest.mark.parametrize("medium", MEDIA, ids=repr)
def test_what_is_written_is_read_as_the_same(medium: Medium) -> None:
    losses = Losses()
    said = write_medium(medium, losses, "messages[0]")
    assert said is not None
    assert read(said) == medium
    assert losses.features == frozenset()
    types.Part.model_validate(said)


def test_a_url_says_its_type_where_nothing_else_does() -> None:
    losses = Losses()
    said = write_medium(Image(Remote("https://example.com/a.WEBP?x=1")), losses, "")
    assert said == {
        "fileData": {"fileUri": "https://example.com/a.WEBP?x=1", "mimeType": "image/webp"}
    }
    assert read_file({"fileUri": "https://example.com/a.webp"}, "") == Image(
        Remote("https://example.com/a.webp")
    )
    assert read_file({"fileUri": "https://youtu.be/x"}, "") == Video(Remote("https://youtu.be/x"))


def test_files_of_others_and_other_schemes_are_lost() -> None:
    losses = Losses()
    assert write_medium(Document(Uploaded("file-123")), losses, "messages[0]") is None
    assert write_medium(Image(Remote("ftp://example.com/a")), losses, "messages[1]") is None
    assert losses.features == {Feature.UPLOADED_FILE, Feature.IMAGE_URL}


def test_plain_text_that_is_no_base64_stays_what_it_is() -> None:
    blob = {"mimeType": "text/plain", "data": "A"}
    assert read_blob(blob, "") == Document(Inline("text/plain", "A==="))
    blob = {"mimeType": "text/csv", "data": encoded("a,b")}
    assert read_blob(blob, "") == Document(Inline("text/csv", encoded("a,b")))


@pytest.mark.parametrize(
    "blob", [None, "x", {}, {"mimeType": "image/png"}, {"mimeType": 1, "data": ""}]
)
def test_blobs_that_are_none_are_refused(blob: object) -> None:
    with pytest.raises(Unfit, match="inlineData"):
        read_blob(blob, "contents[0].parts[0].")


@pytest.mark.parametrize("file", [None, {}, {"fileUri": 1}])
def test_files_that_are_none_are_refused(file: object) -> None:
    with pytest.raises(Unfit, match="file"):
        read_file(file, "contents[0].parts[0].")
