"""Fetches a document by its URL: within bounds, if it has changed, and from no other host."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import certifi
import httpx

from gateway.config.fetched import Wanted

SECONDS = 15.0
"""For all of it."""
_CONNECT_SECONDS = 5.0
MAX_BYTES = 16 << 20
_MOST_REDIRECTS = 3
_ACCEPT = "application/vnd.oai.openapi+json, application/json, application/yaml, */*;q=0.5"


class CannotBeFetched(Exception):
    """There is no document, and this is why: lower case, without the URL."""


@dataclass(frozen=True, slots=True)
class Document:
    """What was at the URL, and how to ask whether it has changed."""

    text: str = field(repr=False)
    etag: str = ""
    last_modified: str = ""


async def fetch(
    wanted: Wanted, known: Document | None, seconds: float = SECONDS
) -> Document | None:
    """What is at the URL now; None: `known`, which was there before. Raises `CannotBeFetched`."""
    try:
        async with asyncio.timeout(seconds):
            return await _fetch(wanted, known)
    except TimeoutError:
        raise CannotBeFetched(f"no answer within {seconds:g} s") from None
    except httpx.TimeoutException as error:
        raise CannotBeFetched(f"no answer in time ({type(error).__name__})") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise CannotBeFetched(str(error).lower() or type(error).__name__) from None


async def _fetch(wanted: Wanted, known: Document | None) -> Document | None:
    headers = {"accept": _ACCEPT, "user-agent": "dragoman", **dict(wanted.headers)}
    if known is not None and known.etag:
        headers["if-none-match"] = known.etag
    if known is not None and known.last_modified:
        headers["if-modified-since"] = known.last_modified
    url = wanted.url
    timeout = httpx.Timeout(SECONDS, connect=_CONNECT_SECONDS)
    async with httpx.AsyncClient(verify=_trust(wanted), timeout=timeout, trust_env=False) as client:
        for _ in range(_MOST_REDIRECTS + 1):
            async with client.stream("GET", url, headers=headers) as response:
                if not response.has_redirect_location:
                    return await _answer(response, known)
                url = redirected(url, response.headers["location"])
    raise CannotBeFetched(f"more than {_MOST_REDIRECTS} redirects")


async def _answer(response: httpx.Response, known: Document | None) -> Document | None:
    if response.status_code == httpx.codes.NOT_MODIFIED and known is not None:
        return None
    if response.status_code != httpx.codes.OK:
        raise CannotBeFetched(f"the answer is {response.status_code}")
    data = bytearray()
    async for part in response.aiter_bytes():
        data += part
        if len(data) > MAX_BYTES:
            raise CannotBeFetched(f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CannotBeFetched(f"it is not utf-8: byte {error.start} is invalid") from None
    headers = response.headers
    return Document(text, headers.get("etag", ""), headers.get("last-modified", ""))


def redirected(url: str, location: str) -> str:
    """Where a redirect leads: our headers are for one host. Raises `CannotBeFetched`."""
    target = httpx.URL(url).join(location)
    before, after = urlsplit(url), urlsplit(str(target))
    is_same = (before.scheme, before.netloc) == (after.scheme, after.netloc)
    is_safer = (before.scheme, after.scheme) == ("http", "https") and (
        before.hostname == after.hostname
        and before.port in (None, 80)
        and after.port in (None, 443)
    )
    if not is_same and not is_safer:
        raise CannotBeFetched(f"it redirects to another host, '{target.host}'")
    return str(target)


def _trust(wanted: Wanted) -> ssl.SSLContext:
    if wanted.ca:
        try:
            return ssl.create_default_context(cadata=wanted.ca)
        except ssl.SSLError as error:
            raise CannotBeFetched(f"its ca cannot be read: {error.reason}".lower()) from None
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:  # a machine without authorities of its own
        context.load_verify_locations(certifi.where())
    return context
