"""Asks the admin API of a running control plane, for the commands that show or change it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import httpx
import msgspec

from gateway.model import Endpoint
from xds_server import flags

Answer: TypeAlias = dict[str, object]

ADMIN = flags.Flag(
    flags.ADMIN.name,
    flags.ADMIN.variable,
    flags.address,
    flags.ADMIN.metavar,
    "where the admin API of the running control plane is (default: 127.0.0.1:15000)",
    "127.0.0.1:15000",
)

PATIENCE_SECONDS = 60.0
"""Longer than the control plane itself waits for workers and Envoys."""


class Unanswered(Exception):
    """The control plane could not be asked, or did not understand."""


class Asking:
    """One admin API, with the headers that every request to it has."""

    def __init__(self, where: Endpoint, headers: Mapping[str, str] | None = None) -> None:
        host = f"[{where.host}]" if ":" in where.host else where.host
        self._where = f"{host}:{where.port}"
        self._headers = headers or {}

    def get(self, path: str) -> Answer:
        """What it shows there; raises `Unanswered`."""
        response = self._send("GET", path, None)
        if response.status_code != 200:
            raise self._refused(path, response)
        return self._object(response)

    def post(self, path: str, body: Mapping[str, object]) -> tuple[int, Answer]:
        """What became of it; raises `Unanswered`."""
        return self.ask("POST", path, body)

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, Answer]:
        """The status and what was answered, whatever it is; raises `Unanswered`."""
        content = None if body is None else msgspec.json.encode(body)
        response = self._send(method, path, content)
        return response.status_code, self._object(response)

    def lines(self, path: str) -> Iterator[str]:
        """What it shows there, line by line; raises `Unanswered`."""
        with (
            self._telling(),
            self._client() as client,
            client.stream("GET", f"http://{self._where}{path}", headers=self._headers) as response,
        ):
            if response.status_code != 200:
                response.read()
                raise self._refused(path, response)
            yield from response.iter_lines()

    def _send(self, method: str, path: str, content: bytes | None) -> httpx.Response:
        json = {} if content is None else {"content-type": "application/json"}
        with self._telling(), self._client() as client:
            url = f"http://{self._where}{path}"
            headers = {**self._headers, **json}
            return client.request(method, url, headers=headers, content=content)

    def _client(self) -> httpx.Client:
        return httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unanswered(
                f"no control plane answers at {self._where}: {str(error).lower()}; "
                f"is it running? its admin API is chosen by {flags.remedy(ADMIN)}"
            ) from error

    def _refused(self, path: str, response: httpx.Response) -> Unanswered:
        error = self._object(response).get("error", "")
        why = f": {error}" if error else ""
        return Unanswered(f"{self._where}{path} answers {response.status_code}{why}")

    def _object(self, response: httpx.Response) -> Answer:
        try:
            return msgspec.json.decode(response.content, type=dict[str, object])
        except msgspec.DecodeError as error:
            raise Unanswered(f"{self._where} is no admin API of ours") from error


def rows(value: object) -> list[Answer]:
    """The objects of a list; nothing else."""
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


def texts(value: object) -> list[str]:
    """The items of a list, as they are shown."""
    return [str(item) for item in value] if isinstance(value, list) else []


def table(heads: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines in columns as wide as what stands in them."""
    whole = [heads, *lines]
    widths = [max(len(line[place]) for line in whole) for place in range(len(heads))]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in whole]
