"""What is wrong with a CEL expression, in one line: `1:4: unknown variable 'llm.modle' (…)`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from cel_expr_python import cel

from gateway import cel_calls
from gateway.cel_secrets import UNCOVERED, Mistake, plain_readings
from gateway.cel_syntax import Kind, Node, Syntax, dotted_name, keys_read
from gateway.cel_variables import VARIABLES, Variable
from gateway.problem import did_you_mean

_LIMIT_CHARACTERS = 10_000

_VARIABLES: Mapping[str, Variable] = {variable.name: variable for variable in VARIABLES}
_COMPILER_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '\.?([^']*)'")
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")
_ABSENT = re.compile(r'^No value with name "([^"]*)" found in Activation$')


def refuse_text(text: str) -> str | None:
    """Why the compiler may not even see this text."""
    if not text.strip():
        return "1:1: the expression is empty"
    if len(text) > _LIMIT_CHARACTERS:
        return f"1:1: the expression has {len(text)} characters, more than {_LIMIT_CHARACTERS}"
    for offset, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            return f"{_place(text, offset)}: not a character of any text: {character!r}"
    return None


def refuse_type(kind: cel.Type) -> str | None:
    """Why a rule cannot be made of an expression of this type."""
    if kind == cel.Type.BOOL:
        return None
    hint = " (compare it: … == true)" if kind == cel.Type.DYN else ""
    return f"1:1: the expression must be a bool, and is: {kind.name().lower()}{hint}"


def refuse_text_type(kind: cel.Type) -> str | None:
    """Why no text can be made by an expression of this type."""
    if kind in (cel.Type.STRING, cel.Type.DYN):
        return None
    return f"1:1: the expression must be a string, and is: {kind.name().lower()}"


def refuse_use(text: str, syntax: Syntax, parsed: Syntax) -> str | None:
    """What the compiler lets pass, although it never does what its author meant."""
    mistake = next(_mistakes(syntax, parsed), None)
    if mistake is None:
        return None
    node, message = mistake
    return f"{_place(text, syntax.offsets.get(node.id, 0))}: {message}"


def mistake_reason(text: str, parsed: Syntax, mistake: Mistake) -> str:
    """What is wrong with how a secret is read."""
    return f"{_place(text, parsed.offsets.get(mistake.node.id, 0))}: {mistake.message}"


def compiler_reason(text: str, message: str, parsed: Syntax | None) -> str:
    """What the compiler says, in our words where they are clearer."""
    asked = _presence_of_variable(parsed) if parsed is not None else None
    if parsed is not None and asked is not None:
        node, name = asked
        return f"{_place(text, parsed.offsets.get(node.id, 0))}: {_presence(name)}"
    found = _COMPILER_ERROR.search(message)
    if found is None or not 0 < int(found[1]) <= text.count("\n") + 1:  # nesting has no place
        return f"1:1: {_worded(found[3] if found else message)}"
    line, column, reason = int(found[1]), int(found[2]), found[3]
    undeclared = _UNDECLARED.search(reason)
    if undeclared is None:
        return f"{line}:{column}: {_worded(reason.partition(' expecting {')[0])}"
    name = undeclared[1]
    if text.split("\n")[line - 1][column - 1 : column] == "(":  # where the compiler places a call
        return f"{line}:{column}: unknown function '{name}'"
    hint = _hint(name)
    return f"{line}:{column}: unknown variable '{name}'{f' ({hint})' if hint else ''}"


def runtime_reason(message: str) -> str:
    """Why an evaluation came to nothing."""
    absent = _ABSENT.match(_STATUS.sub("", message))
    return f"no usable value for {absent[1]}" if absent else _worded(message)[:200]


def _mistakes(syntax: Syntax, parsed: Syntax) -> Iterator[tuple[Node, str]]:
    for node in parsed.root.walk():
        if node.is_presence_test and node.id in syntax.variables:
            # The checker folds `has()` of a flat variable into the variable's own value.
            yield node, _presence(syntax.variables[node.id])
    yield from plain_readings(syntax)
    for variable in (*UNCOVERED, *UNCOVERED.values()):
        for node, key in keys_read(syntax, variable):
            if key is not None and key != key.lower():
                yield node, f"header names are lower case: '{key.lower()}', not '{key}'"
    for node in syntax.root.walk():
        if node.kind is Kind.CALL:
            for place, refuse in _WRITTEN.get(node.name, ()):
                given = node.children[place] if place < len(node.children) else None
                reason = None if given is None or given.text is None else refuse(given.text)
                if given is not None and reason is not None:
                    yield given, reason


def _presence_of_variable(parsed: Syntax) -> tuple[Node, str] | None:
    for node in parsed.root.walk():
        name = dotted_name(node) if node.is_presence_test else None
        if name is not None and name in _VARIABLES:
            return node, name
    return None


def _presence(variable: str) -> str:
    return f"has() cannot ask for the variable '{variable}', only for what is inside one"


def _refuse_pattern(pattern: str) -> str | None:
    checker = cel.NewEnv(variables={"pattern": cel.Type.STRING}).compile('"".matches(pattern)')
    outcome = checker.eval(data={"pattern": pattern}).value()
    return None if isinstance(outcome, bool) else runtime_reason(outcome)


def _refuse_zone(zone: str) -> str | None:
    clock = cel.NewEnv(variables={"zone": cel.Type.STRING}).compile("timestamp(0).getHours(zone)")
    if isinstance(clock.eval(data={"zone": zone}).value(), int):
        return None
    return f"unknown time zone '{zone}' (write Europe/Berlin, or +02:00)"


def _unless(check: Callable[[str], object]) -> Callable[[str], str | None]:
    def refuse(text: str) -> str | None:
        try:
            check(text)
        except ValueError as error:
            return f"{error}: {text}"
        return None

    return refuse


_PATTERN = _unless(cel_calls.compiled)
_ADDRESS, _NETWORK = _unless(cel_calls.address), _unless(cel_calls.network)
_ZONED = ("Hours", "Minutes", "Seconds", "Milliseconds", "Date", "DayOfMonth", "DayOfWeek")
_WRITTEN: Mapping[str, tuple[tuple[int, Callable[[str], str | None]], ...]] = {
    "matches": ((1, _refuse_pattern),),
    "regex.extract": ((1, _PATTERN),),
    "regex.extractAll": ((1, _PATTERN),),
    "regex.replace": ((1, _PATTERN),),
    "ip": ((0, _ADDRESS),),
    "cidr": ((0, _NETWORK),),
    "containsIP": ((0, _NETWORK), (1, _ADDRESS)),
    "containsCIDR": ((0, _NETWORK), (1, _NETWORK)),
    **{f"get{part}": ((1, _refuse_zone),) for part in (*_ZONED, "DayOfYear", "Month", "FullYear")},
}
"""Arguments of functions, by place, that are checked at once where they are written out."""


def _hint(name: str) -> str:
    members = [known for known in _VARIABLES if known.startswith(f"{name}.")]
    if members:
        return f"known: {', '.join(members)}"
    family = [known for known in _VARIABLES if known.startswith(f"{name.split('.')[0]}.")]
    return did_you_mean(name, _VARIABLES) or did_you_mean(name, family)


def _worded(message: str) -> str:
    words = _STATUS.sub("", message.partition("\n")[0])
    return words[:1].lower() + words[1:]


def _place(text: str, offset: int) -> str:
    before = text[:offset]
    return f"{before.count(chr(10)) + 1}:{offset - before.rfind(chr(10))}"
