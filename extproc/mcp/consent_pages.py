"""What people see in their browsers who agree that a server is used for them."""

from __future__ import annotations

from html import escape
from typing import Final

from extproc.events import Respond

_DETAILS: Final = "dragoman_mcp_consent"
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
)
HEAD: Final = (
    ("cache-control", "no-store"),
    ("content-security-policy", _POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
)
"""No other page may show these, and none is told how they were called: their addresses are not for
others."""
_HTML: Final = (("content-type", "text/html; charset=utf-8"), *HEAD)
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:4em auto;padding:0 1em}"
    "button{font:inherit;padding:.5em 1.5em}"
)


def ask(server: str, who: str, host: str, action: str, once: str, cookie: str) -> Respond:
    """Whether somebody agrees. `host`: where they are sent; `once`: what the form brings back;
    `cookie`: to be kept, with its attributes."""
    text = (
        f"<p>An agent of <b>{escape(who)}</b> wants to use <b>{escape(server)}</b>.</p>"
        f"<p>If you agree, you are sent to <b>{escape(host)}</b>, which asks what this gateway may "
        f"do there in your name. What you allow is for {escape(who)} alone. If that is not you, or "
        "you have not asked for this yourself, close this page.</p>"
        f'<form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="once" value="{escape(once)}">'
        f"<button>Connect {escape(server)}</button></form>"
    )
    return _page(200, f"Connect {server}", text, (("set-cookie", cookie),))


def done(server: str) -> Respond:
    """It is done."""
    text = (
        f"<p>The gateway can use <b>{escape(server)}</b> for you now. You can close this page, and "
        "go on where you were.</p>"
    )
    return _page(200, f"{server} is connected", text, ())


def refused(status: int, why: str) -> Respond:
    """It cannot be."""
    return _page(status, "Not connected", f"<p>{escape(why)}</p>", ())


def onward(location: str) -> Respond:
    """To the authorization server."""
    return Respond(303, (("location", location), *HEAD), b"", _DETAILS)


def _page(status: int, title: str, text: str, more: tuple[tuple[str, str], ...]) -> Respond:
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{text}</body></html>"
    )
    return Respond(status, (*_HTML, *more), body.encode(), _DETAILS)
