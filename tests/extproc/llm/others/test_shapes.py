from __future__ import annotations

import pytest

from extproc.llm import texts
from extproc.llm.others import shapes
from extproc.llm.shapes import Fields

SECRET = "secret"
EVERY: dict[str, Fields] = {
    name: value
    for name, value in vars(shapes).items()
    if name.isupper() and name[0] != "_" and name != "FREE"
}


def test_there_are_shapes() -> None:
    assert len(EVERY) == 8


@pytest.mark.parametrize("shape", EVERY.values(), ids=EVERY)
def test_what_is_not_known_is_read(shape: Fields) -> None:
    found = texts.texts({"unheard_of": {"deep": [SECRET]}}, shape)
    assert found == ("unheard_of", "deep", SECRET)


def test_a_style_is_a_word_of_the_api_or_a_text() -> None:
    for name in ("IMAGE_GENERATIONS", "IMAGE_EDITS"):
        assert texts.texts({"style": "vivid"}, EVERY[name]) == ()
        assert texts.texts({"style": SECRET}, EVERY[name]) == (SECRET,)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("COMPLETIONS", "prompt"),
        ("COMPLETIONS", "suffix"),
        ("COMPLETIONS", "stop"),
        ("COMPLETIONS", "user"),
        ("EMBEDDINGS", "input"),
        ("MODERATIONS", "input"),
        ("IMAGE_GENERATIONS", "prompt"),
        ("IMAGE_EDITS", "prompt"),
        ("SPEECH", "input"),
        ("SPEECH", "instructions"),
        ("TRANSCRIPTIONS", "prompt"),
        ("TRANSCRIPTIONS", "keywords[]"),
        ("TRANSCRIPTIONS", "known_speaker_names[]"),
        ("RERANK", "query"),
        ("RERANK", "documents"),
    ],
)
def test_what_a_model_reads_is_read(name: str, field: str) -> None:
    assert texts.texts({field: SECRET}, EVERY[name]) == (SECRET,)
    assert SECRET in texts.texts({field: [SECRET]}, EVERY[name])


def test_images_are_not_read_as_text() -> None:
    url = "data:image/png;base64,AAAA"
    document = {"image": url, "images": [{"image_url": url}], "mask": {"file_id": "f"}}
    assert texts.texts(document, shapes.IMAGE_EDITS) == ()


def test_names_of_files_are_read() -> None:
    file = {"filename": SECRET, "content_type": "audio/wav", "bytes": 3}
    assert texts.texts({"file": file}, shapes.TRANSCRIPTIONS) == (SECRET, "audio/wav")


def test_parts_to_be_moderated_are_read() -> None:
    parts = [
        {"type": "text", "text": SECRET},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    assert texts.texts({"input": parts}, shapes.MODERATIONS) == (SECRET,)
