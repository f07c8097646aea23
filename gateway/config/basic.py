"""Users who are known by a name and a password (HTTP Basic, RFC 7617)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema, model_validator

from gateway.config.block import Block, refusal
from gateway.config.finding import Finding, Path
from gateway.config.referenced import TextFile
from gateway.config.scalars import Flag, Text
from gateway.identity import PasswordHolder, Passwords
from gateway.passwords import Scheme, entries, members, mistake_in, scheme_of
from gateway.problem import did_you_mean

_AT: Path = ("identity", "basic")


def _realm(value: str) -> str:
    if not value.isascii() or not value.isprintable() or '"' in value or "\\" in value:
        raise refusal("must be printable ascii without quotes and backslashes")
    return value


def _lines(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise refusal("must not be empty", is_shown=False)
    return value


Realm: TypeAlias = Annotated[Text, AfterValidator(_realm)]
PasswordLines: TypeAlias = Annotated[
    SecretStr, AfterValidator(_lines), WithJsonSchema({"type": "string", "format": "secret"})
]


class BasicUserBlock(Block):
    """What is known of a user beside the password."""

    team: Text | None = None
    """The team that pays."""
    groups: tuple[Text, ...] = ()
    """What rules see as `principal.groups`, beside those of `groups` and `group_files`."""
    tags: dict[Text, Text] = Field(default={})
    """Free labels, for rules."""


class BasicBlock(Block):
    """Users who send a name and a password (`Authorization: Basic …`), as browsers and `curl -u`
    do. Passwords stand here as hashes that Apache's `htpasswd` makes: bcrypt (`-B`), apr1 (`-m`) or
    sha (`-s`)."""

    files: tuple[TextFile, ...] = ()
    """Password files: a line for each user, `user:hash`. They are watched. A user is in one of them
    alone."""
    htpasswd: PasswordLines | None = None
    """Such lines themselves."""
    groups: dict[Text, tuple[Text, ...]] = Field(default={})
    """Groups and who is in them: `engineers: [ada, bob]`."""
    group_files: tuple[TextFile, ...] = ()
    """Group files, as Apache has them: lines of `group: user user`. They are watched."""
    users: dict[Text, BasicUserBlock] = Field(default={})
    """More about users, by name."""
    realm: Realm = "dragoman"
    """What browsers show when they ask for the password."""
    forward: Flag = False
    """Whether the backends of plain routes get name and password. Providers of models never do."""

    @model_validator(mode="after")
    def _has_users(self) -> BasicBlock:
        if not self.files and self.htpasswd is None:
            raise refusal("needs files or htpasswd", is_shown=False)
        return self

    @property
    def texts(self) -> Iterator[tuple[Path, str, str]]:
        """Where password lines stand, what to call the place, and the lines."""
        if self.htpasswd is not None:
            yield (*_AT, "htpasswd"), "", self.htpasswd.get_secret_value()
        for index, file in enumerate(self.files):
            yield (*_AT, "files", index), file.path, file.text

    @property
    def meaning(self) -> Passwords:
        """What is meant."""
        groups = self._groups()
        holders = []
        for _, _, text in self.texts:
            for entry in entries(text):
                more = self.users.get(entry.user, _NOTHING_MORE)
                in_all = dict.fromkeys((*groups.get(entry.user, ()), *more.groups))
                tags = tuple(more.tags.items())
                holders.append(
                    PasswordHolder(entry.user, entry.hash, more.team or "", tuple(in_all), tags)
                )
        return Passwords(tuple(holders), self.realm, self.forward)

    @property
    def without_files(self) -> dict[str, Any]:
        """What stands in files, as it would stand here."""
        told: dict[str, Any] = {"htpasswd": "\n".join(text for _, _, text in self.texts)}
        groups = {group: list(users) for group, users in self._members().items()}
        return {**told, "groups": groups} if groups else told

    def _groups(self) -> dict[str, list[str]]:
        """The groups of each user."""
        found: dict[str, list[str]] = {}
        for group, users in self._members().items():
            for user in users:
                found.setdefault(user, []).append(group)
        return found

    def _members(self) -> dict[str, dict[str, None]]:
        """The users of each group."""
        found: dict[str, dict[str, None]] = {}
        written: list[tuple[str, Iterable[str]]] = list(self.groups.items())
        for file in self.group_files:
            written += ((group, users) for _, group, users in members(file.text))
        for group, users in written:
            found.setdefault(group, {}).update(dict.fromkeys(users))
        return found


_NOTHING_MORE = BasicUserBlock()


def findings(block: BasicBlock) -> Iterator[Finding]:
    """What is wrong with the lines of password files and group files."""
    seen: set[str] = set()
    for path, name, text in block.texts:
        for entry in entries(text):
            place = f"line {entry.line} of {name or 'it'}"
            mistake = mistake_in(entry)
            if mistake is not None:
                yield Finding(path, f"{place} {mistake}", "htpasswd -B makes such lines")
            elif entry.user in seen:
                yield Finding(path, f"{place} is another password of '{entry.user}'")
            seen.add(entry.user)
    for index, file in enumerate(block.group_files):
        for line, group, _ in members(file.text):
            if not group:
                message = f"line {line} of {file.path} names no group"
                yield Finding((*_AT, "group_files", index), message, "group: user user")


def warnings(block: BasicBlock) -> Iterator[Finding]:
    """What is weak, and whom nobody can be."""
    found = [(path, entry) for path, _, text in block.texts for entry in entries(text)]
    users = {entry.user for _, entry in found}
    for path in dict.fromkeys(path for path, _ in found):
        weak = [
            entry.user
            for place, entry in found
            if place == path and scheme_of(entry.hash) is Scheme.SHA
        ]
        if weak:
            message = f"{len(weak)} of the hashes are sha, which has no salt: '{weak[0]}'"
            yield Finding(path, message, "htpasswd -B makes stronger ones")
    for name in block.users:
        if name not in users:
            hint = did_you_mean(name, sorted(users))
            yield Finding((*_AT, "users", name), f"nobody has a password as '{name}'", hint)
