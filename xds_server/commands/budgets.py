"""`dragoman budgets …`: budgets of a running gateway, by its admin API."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from urllib.parse import urlencode

from gateway.config.scalars import Limit, written_limit
from gateway.periods import Unit
from xds_server.commands.asking import Answer, Unanswered, rows, table
from xds_server.commands.command import JSON, Argument, Command, Environment, refuses
from xds_server.commands.with_token import REACHING, TOKEN_VARIABLE, asking, done
from xds_server.flags import Flag

BUDGET = Argument("budget", "BUDGET", "its name; of a virtual key's own: `key:KEY:PERIOD`")
WHICH = Argument("budget", "BUDGET", "of one budget, by its name", count="?")
AMOUNT = Argument("amount", "AMOUNT", "`50 USD`, `100k tokens`")
OF = Argument(
    "of", "NAME=VALUE", "whose, where a budget counts apart: `team=research`, `by=…`", count="*"
)
WHY = Flag("--why", "", str, "TEXT", "the reason, for the log; must be said")
REQUEST = Flag("--request-id", "", str, "ID", "what is asked for again by the same id is done once")
UNIT = Flag("--unit", "", str, "UNIT", "`USD` or `tokens`, where a key has a budget of each")


def list_(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print where the budgets in force stand."""
    try:
        found = rows(asking(arguments, environment).get("/api/budgets").get("budgets"))
    except Unanswered as error:
        refuses([str(error)])
        return 1
    wanted = [each for each in found if arguments.budget in (None, each.get("budget"))]
    print(json.dumps(wanted, indent=2) if arguments.json else "\n".join(_lines(wanted)))
    return 0


def top_up(arguments: argparse.Namespace, environment: Environment) -> int:
    """Raise a limit until its period ends."""
    return _change(arguments, environment, "top-up", {"amount": arguments.amount})


def reset(arguments: argparse.Namespace, environment: Environment) -> int:
    """Begin a period anew."""
    return _change(arguments, environment, "reset", {"unit": arguments.unit or ""})


def log(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print the latest changes, the newest first."""

    def shown(answer: Answer) -> Iterable[str]:
        heads = ("TIME", "WHO", "WHAT", "BUDGET", "OF", "AMOUNT", "SPENT BEFORE", "WHY", "REQUEST")
        return table(heads, [_logged(each) for each in rows(answer.get("entries"))])

    query = urlencode({"budget": arguments.budget or ""})
    return done(arguments, environment, ("GET", f"/api/budget-log?{query}", None), shown)


def _change(
    arguments: argparse.Namespace, environment: Environment, what: str, more: dict[str, str]
) -> int:
    pairs = [each.partition("=") for each in arguments.of]
    wrong = [f"not NAME=VALUE: {name}" for name, equals, _ in pairs if not (name and equals)]
    if refuses(wrong):
        return 1
    body = {
        "budget": arguments.budget,
        "of": {name: value for name, _, value in pairs},
        "why": arguments.why or "",
        "request_id": arguments.request_id or "",
        **more,
    }

    def shown(answer: Answer) -> Iterable[str]:
        of = _of(answer)
        whose = f"{answer['budget']} of {of}" if of else str(answer["budget"])
        again = "; it had been done before" if answer["is_repeated"] else ""
        yield f"{what}: {whose}: the limit is {answer['limit']}{again}"
        yield f"request: {answer['request_id']}"

    return done(arguments, environment, ("POST", f"/api/budgets/{what}", body), shown)


def _lines(found: list[Answer]) -> list[str]:
    if not found:
        return ["nothing is spent of any budget in force"]
    heads = ("BUDGET", "OF", "SPENT", "HELD", "LIMIT", "TOPPED UP", "LEFT", "UNTIL")
    return table(heads, [_standing(each) for each in found])


def _standing(row: Answer) -> tuple[str, ...]:
    amounts = (_amount(row, name) for name in ("settled", "reserved", "limit", "topped_up", "left"))
    return (str(row["budget"]), _of(row), *amounts, str(row["until"] or "never"))


def _logged(row: Answer) -> tuple[str, ...]:
    amount = _amount(row, "amount") if row["what"] == "top-up" else ""
    head = (str(row[name]) for name in ("at", "who", "what", "budget"))
    spent = _amount(row, "settled_before")
    return (*head, _of(row), amount, spent, str(row["why"]), str(row["request_id"]))


def _amount(row: Answer, name: str) -> str:
    value = row[name]
    return written_limit(Limit(Unit(str(row["unit"])), value if isinstance(value, int) else 0))


def _of(row: Answer) -> str:
    of = row["of"]
    pairs = of.items() if isinstance(of, dict) else ()
    return ", ".join(f"{name}={value}" for name, value in pairs)


COMMANDS = (
    Command(
        "budgets list",
        "show where budgets stand in their present periods",
        list_,
        arguments=(WHICH,),
        flags=REACHING,
        switches=(JSON,),
        details=(
            "All commands about budgets ask the admin API of a running gateway, with the token in "
            f"its state directory, or in `{TOKEN_VARIABLE}`. See [Budgets](../budgets.md)."
        ),
    ),
    Command(
        "budgets top-up",
        "raise the limit of a budget, until its present period ends",
        top_up,
        arguments=(BUDGET, AMOUNT, OF),
        flags=(WHY, REQUEST, *REACHING),
        switches=(JSON,),
    ),
    Command(
        "budgets reset",
        "let nothing be spent yet of a budget in its present period",
        reset,
        arguments=(BUDGET, OF),
        flags=(WHY, UNIT, REQUEST, *REACHING),
        switches=(JSON,),
    ),
    Command(
        "budgets log",
        "show who topped up or reset what, when and why, the newest first",
        log,
        arguments=(WHICH,),
        flags=REACHING,
        switches=(JSON,),
    ),
)
