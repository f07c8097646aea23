"""A name and a password become a principal; what is wrong is refused, and tells nothing."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable

import pytest

from extproc.policies.basic import Basic, Found, is_basic
from extproc.ports import PasswordsBusy
from extproc.principal import Kind, Principal
from extproc.verdict import Deny
from gateway.identity import PasswordHolder, Passwords

BCRYPT = "$2y$05$6R5o31.GJsCdzHvbO68yq.0vBQp9v.eBG6OdYDRYZceE7n2gF64QK"
ANN = PasswordHolder("ann", BCRYPT, "red", ("staff",), (("cost", "7"),))
EVE = PasswordHolder("ève", BCRYPT)


class Told:
    """Says of passwords what it was told to, at once or later."""

    def __init__(self, *, is_late: bool = False, is_busy: bool = False) -> None:
        self.asked: list[tuple[str, bytes, str]] = []
        self._is_late = is_late
        self._is_busy = is_busy

    def is_right(self, user: str, password: bytes, hashed: str) -> bool | Awaitable[bool]:
        self.asked.append((user, password, hashed))
        if self._is_busy and not self._is_late:
            raise PasswordsBusy
        return self._later(password) if self._is_late else password == b"secret"

    async def _later(self, password: bytes) -> bool:
        await asyncio.sleep(0)
        if self._is_busy:
            raise PasswordsBusy
        return password == b"secret"


def sent(pair: str | bytes) -> str:
    data = pair.encode() if isinstance(pair, str) else pair
    return f"Basic {base64.b64encode(data).decode()}"


async def _settled(found: Found | Awaitable[Found]) -> Found:
    return found if isinstance(found, Principal | Deny) else await found


def who(checks: Told | None, credential: str) -> Found:
    made = Basic(Passwords((ANN, EVE), "agents"), checks)
    return asyncio.run(_settled(made.who(credential)))


@pytest.mark.parametrize("is_late", [False, True])
def test_a_user_is_a_principal(is_late: bool) -> None:
    found = who(Told(is_late=is_late), sent("ann:secret"))
    assert isinstance(found, Principal)
    assert (found.kind, found.name, found.user, found.key) == (Kind.BASIC, "ann", "ann", "")
    assert (found.team, found.groups, found.tags) == ("red", ("staff",), (("cost", "7"),))


def test_the_same_user_is_the_same_principal() -> None:
    made = Basic(Passwords((ANN,), "agents"), Told())
    assert made.who(sent("ann:secret")) is made.who(sent("ann:secret"))


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("pair", ["ann:wrong", "bob:secret", "ann:", ":secret", "Ann:secret"])
def test_what_is_wrong_is_refused_alike(pair: str, is_late: bool) -> None:
    found = who(Told(is_late=is_late), sent(pair))
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (401, "invalid_credential")
    assert found.headers == (("www-authenticate", 'Basic realm="agents", charset="UTF-8"'),)
    assert found.reason == "the user or the password is not right"


def test_who_is_not_there_takes_as_long_and_stays_outside() -> None:
    checks = Told()
    assert isinstance(who(checks, sent("bob:secret")), Deny)
    [(user, password, hashed)] = checks.asked
    assert (user, password) == ("bob", b"secret")
    assert hashed.startswith("$2b$05$")
    assert len(hashed) == len(BCRYPT)


@pytest.mark.parametrize(
    "credential",
    [
        "Basic ",
        "Basic !!!!",
        "Basic YW5u",  # no colon
        sent(b"ann:sec\0ret"),
        sent(b"\xff:secret"),
        sent("ann:" + "x" * 5000),
    ],
)
def test_garbage_is_refused_and_not_checked(credential: str) -> None:
    checks = Told()
    found = who(checks, credential)
    assert isinstance(found, Deny)
    assert found.status == 401
    assert checks.asked == []


def test_names_and_passwords_are_utf8_and_colons_belong_to_passwords() -> None:
    checks = Told()
    assert isinstance(who(checks, sent("ève:secret")), Principal)
    who(checks, sent("ève:a:b"))
    assert checks.asked[-1][:2] == ("ève", b"a:b")


@pytest.mark.parametrize("is_late", [False, True])
def test_too_many_at_a_time_are_told_to_come_again(is_late: bool) -> None:
    found = who(Told(is_late=is_late, is_busy=True), sent("ann:secret"))
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (429, "too_many_passwords")
    assert found.headers == (("retry-after", "1"),)


def test_nobody_comes_in_unchecked() -> None:
    found = who(None, sent("ann:secret"))
    assert isinstance(found, Deny)
    assert found.status == 503


def test_the_scheme_has_no_case() -> None:
    assert is_basic("BASIC eA==")
    assert is_basic("basic eA==")
    assert not is_basic("Basically")
    assert not is_basic("Bearer x")
