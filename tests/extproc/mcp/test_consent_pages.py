"""Pages that people agree on: nobody else's, and nothing in them that was not meant."""

from __future__ import annotations

from extproc.mcp import consent_pages as pages


def test_what_is_said_is_no_markup() -> None:
    page = pages.ask("<b>", '"><script>', "h<", "/a?b=1&c", "o'", "c=1")
    text = page.body.decode()
    assert "<script>" not in text
    assert 'action="/a?b=1&amp;c"' in text
    assert "&lt;b&gt;" in text
    assert ("set-cookie", "c=1") in page.headers


def test_no_page_is_kept_framed_or_told_of() -> None:
    for page in (pages.ask("a", "b", "c", "d", "e", "f"), pages.done("a"), pages.refused(403, "x")):
        head = dict(page.headers)
        assert head["cache-control"] == "no-store"
        assert head["referrer-policy"] == "no-referrer"
        assert head["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in head["content-security-policy"]
        assert "default-src 'none'" in head["content-security-policy"]
    onward = pages.onward("https://as.example/go")
    assert (onward.status, dict(onward.headers)["location"]) == (303, "https://as.example/go")
    assert dict(onward.headers)["referrer-policy"] == "no-referrer"
