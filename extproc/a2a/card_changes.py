"""What changed between two cards of an agent: for logs, metrics, and whoever watches the list."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from extproc.a2a.cards import Card


class What(StrEnum):
    """Which part of a card changed."""

    APPEARED = "appeared"
    """There was no card before."""
    NAME = "name"
    VERSION = "version"
    SKILL_ADDED = "skill_added"
    SKILL_REMOVED = "skill_removed"
    SKILL_CHANGED = "skill_changed"
    INTERFACES = "interfaces"
    CAPABILITIES = "capabilities"
    MODES = "modes"
    SIGNATURE = "signature"
    """Another key signed it, or none does any more."""
    OTHER = "other"
    """What is not read of a card."""


class Change(Struct, frozen=True):
    """Of one part."""

    what: What
    subject: str = ""
    """The id of a skill."""
    before: str = ""
    after: str = ""


def changes(
    before: Card | None, after: Card, signed_before: str = "", signed_after: str = ""
) -> tuple[Change, ...]:
    """In the order of `What`; none where the cards are the same.

    `signed_before` and `signed_after` are ids of keys that were verified; empty: none was.
    """
    if before is None:
        return (Change(What.APPEARED, after=after.version),)
    found = [
        *_of_texts(before, after),
        *_of_skills(before, after),
        *_of_the_rest(before, after),
    ]
    if signed_before != signed_after:
        found.append(Change(What.SIGNATURE, before=signed_before, after=signed_after))
    if not found and before.digest != after.digest:
        found.append(Change(What.OTHER))
    return tuple(found)


def _of_texts(before: Card, after: Card) -> list[Change]:
    pairs = (
        (What.NAME, before.name, after.name),
        (What.VERSION, before.version, after.version),
    )
    return [Change(what, before=old, after=new) for what, old, new in pairs if old != new]


def _of_skills(before: Card, after: Card) -> list[Change]:
    old = {each.id: each for each in before.skills}
    new = {each.id: each for each in after.skills}
    return [
        *(Change(What.SKILL_ADDED, each) for each in new if each not in old),
        *(Change(What.SKILL_REMOVED, each) for each in old if each not in new),
        *(
            Change(What.SKILL_CHANGED, each, old[each].name, new[each].name)
            for each in new
            if each in old and old[each] != new[each]
        ),
    ]


def _of_the_rest(before: Card, after: Card) -> list[Change]:
    modes_before = (before.input_modes, before.output_modes)
    modes_after = (after.input_modes, after.output_modes)
    differing = (
        (What.INTERFACES, before.interfaces != after.interfaces),
        (What.CAPABILITIES, before.capabilities != after.capabilities),
        (What.MODES, modes_before != modes_after),
    )
    return [Change(what) for what, is_different in differing if is_different]
