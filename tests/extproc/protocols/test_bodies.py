from __future__ import annotations

from extproc.protocols import bodies

FORM = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n'


def test_a_form_is_spliced_as_a_form() -> None:
    assert bodies.is_form(FORM)
    assert bodies.replace(FORM, {"model": b'"other"'}) == FORM.replace(b"\r\nm\r", b"\r\nother\r")


def test_json_is_spliced_as_json() -> None:
    body = b'{ "model": "m", "x": 1.0 }'
    assert not bodies.is_form(body)
    assert bodies.replace(body, {"model": b'"other"'}) == b'{ "model": "other", "x": 1.0 }'
