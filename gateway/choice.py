"""How the targets of a model are chosen and put in order: a tree whose leaves are targets.

A branch may be a tree itself. What a request makes of it is the list of targets that it is tried
at, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never

STICKY_WORDS = ("key", "user", "team")
STICKY_HEADER = "header:"
"""Before the name of a header, by which something sticks."""


@dataclass(frozen=True, slots=True)
class Target:
    """One way to serve a model: a provider and the name that it knows."""

    provider: str
    model: str
    """`*` stands for what the alias's own `*` matched."""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class One:
    """This target."""

    target: Target
    place: int
    """From 1. No two targets that may be tried for the same request have the same."""


@dataclass(frozen=True, slots=True)
class InTurn:
    """All of them, in the order in which they were written."""

    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """A branch, and which part of the requests it gets."""

    reference: str
    """As it was written; what sticks to it does so by this name."""
    weight: int
    choice: Choice


@dataclass(frozen=True, slots=True)
class Weighted:
    """One by chance; or, where it is to stick, all of them, in the order of a key's preference."""

    shares: tuple[Share, ...]
    sticky: str = ""
    """By what it is chosen: `key`, `user`, `team`, `header:NAME`, or CEL that yields a text."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch, and when it is taken."""

    when: str | None
    """CEL; None: always."""
    choice: Choice


@dataclass(frozen=True, slots=True)
class Conditional:
    """The first whose condition holds; nothing, when none does."""

    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Cheapest:
    """All of them, by what the request may cost there; the unpriced last."""

    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Fastest:
    """All of them, by how soon they were seen to answer."""

    choices: tuple[Choice, ...]


Choice: TypeAlias = One | InTurn | Weighted | Conditional | Cheapest | Fastest


def is_expression(sticky: str) -> bool:
    """Whether it is CEL by which something sticks."""
    return sticky not in STICKY_WORDS and not sticky.startswith(STICKY_HEADER)


def expressions(choice: Choice) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The CEL of a choice: conditions, and texts to stick by."""
    conditional = [node for node in nodes(choice) if isinstance(node, Conditional)]
    conditions = [each.when for node in conditional for each in node.branches if each.when]
    sticky = [node.sticky for node in nodes(choice) if isinstance(node, Weighted) and node.sticky]
    return tuple(dict.fromkeys(conditions)), tuple(filter(is_expression, dict.fromkeys(sticky)))


def headers_stuck_to(choice: Choice) -> frozenset[str]:
    """The names of headers by whose values something sticks."""
    return frozenset(
        node.sticky.removeprefix(STICKY_HEADER)
        for node in nodes(choice)
        if isinstance(node, Weighted) and node.sticky.startswith(STICKY_HEADER)
    )


def children(choice: Choice) -> tuple[Choice, ...]:
    """The branches right below."""
    match choice:
        case One():
            return ()
        case InTurn() | Cheapest() | Fastest():
            return choice.choices
        case Weighted():
            return tuple(share.choice for share in choice.shares)
        case Conditional():
            return tuple(branch.choice for branch in choice.branches)
        case _:
            assert_never(choice)


def nodes(choice: Choice) -> Iterator[Choice]:
    """The tree, from above, in the order of writing."""
    yield choice
    for child in children(choice):
        yield from nodes(child)


def leaves(choice: Choice) -> Iterator[One]:
    """The targets, in the order of writing."""
    return (node for node in nodes(choice) if isinstance(node, One))


def is_timed(choice: Choice | None) -> bool:
    """Whether it has to be told who was fast."""
    return choice is not None and any(isinstance(node, Fastest) for node in nodes(choice))


def is_priced(choice: Choice | None) -> bool:
    """Whether it has to be told what a request may cost."""
    return choice is not None and any(isinstance(node, Cheapest) for node in nodes(choice))


def tries_one_branch(choice: Choice) -> bool:
    """Whether a request gets one branch alone; else it may get all of them."""
    return isinstance(choice, Conditional) or (isinstance(choice, Weighted) and not choice.sticky)


def is_in_written_order(choice: Choice) -> bool:
    """Whether the branches, if several are tried, are tried as they were written."""
    return isinstance(choice, One | InTurn) or tries_one_branch(choice)


def by_place(choice: Choice) -> tuple[tuple[Target, ...], ...]:
    """What may be tried at each place."""
    found: dict[int, list[Target]] = {}
    for leaf in leaves(choice):
        found.setdefault(leaf.place, []).append(leaf.target)
    return tuple(tuple(found[place]) for place in sorted(found))


def described(choice: Choice) -> str:
    """For people: `the first that holds of [when llm.is_stream: a/x, else: b/y]`."""
    match choice:
        case One():
            return f"{choice.target.provider}/{choice.target.model}"
        case InTurn():
            return f"in turn [{_listed(choice)}]"
        case Weighted():
            parts = ", ".join(f"{described(each.choice)}: {each.weight}" for each in choice.shares)
            by = f"by {choice.sticky}" if choice.sticky else "by chance"
            return f"{by}, weighted [{parts}]"
        case Conditional():
            parts = ", ".join(_branch(each) for each in choice.branches)
            return f"the first that holds of [{parts}]"
        case Cheapest():
            return f"the cheapest first of [{_listed(choice)}]"
        case Fastest():
            return f"the fastest first of [{_listed(choice)}]"
        case _:
            assert_never(choice)


def _listed(choice: Choice) -> str:
    return ", ".join(map(described, children(choice)))


def _branch(branch: Branch) -> str:
    return f"{f'when {branch.when}' if branch.when else 'else'}: {described(branch.choice)}"
