"""A browser of one person's: keeps cookies, follows links as they are told, and fills in the one
form of a page."""

from __future__ import annotations

import re
from html import unescape
from http.cookies import SimpleCookie
from typing import Any

import httpx

_PAGES = {"accept": "text/html", "sec-fetch-mode": "navigate"}
_MOST_REDIRECTS = 10
_FORM = re.compile(r'<form method="post" action="([^"]*)">(.*?)</form>', re.DOTALL)
_FIELD = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


class Browser:
    """`with Browser() as browser: browser.open(url)`."""

    def __init__(self) -> None:
        self.http = httpx.Client(verify=False, timeout=30)
        self.cookies: dict[str, str] = {}
        """Also those that are `Secure`, as browsers take them of this machine."""

    def ask(self, method: str, url: httpx.URL | str, **more: Any) -> httpx.Response:
        """One request."""
        said = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        head = _PAGES | ({"cookie": said} if said else {}) | more.pop("headers", {})
        answer = self.http.request(method, url, headers=head, **more)
        self.http.cookies.clear()
        for each in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(each).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0" or morsel["expires"].endswith("1970 00:00:00 GMT"):
                    del self.cookies[name]
        return answer

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def open(self, url: str) -> httpx.Response:
        """And go where that leads."""
        return self._followed(self.ask("GET", url))

    def agree(self, page: httpx.Response, *, follows: bool = True) -> httpx.Response:
        """Send the form of a page, and go where that leads."""
        found = _FORM.search(page.text)
        assert found is not None, (page.status_code, page.text)
        fields = {name: unescape(value) for name, value in _FIELD.findall(found[2])}
        url = page.url.join(unescape(found[1]))
        origin = f"{url.scheme}://{url.netloc.decode()}"
        answer = self.ask("POST", url, data=fields, headers={"origin": origin})
        return self._followed(answer) if follows else answer

    def consent(self, url: str) -> httpx.Response:
        """All of it; the last page."""
        return self.agree(self.open(url))

    def _followed(self, answer: httpx.Response) -> httpx.Response:
        for _ in range(_MOST_REDIRECTS):
            if not answer.is_redirect:
                return answer
            where = answer.url.join(answer.headers["location"])
            answer = self.ask("GET", where)
        raise AssertionError(f"too many redirects, the last to {answer.url}")
