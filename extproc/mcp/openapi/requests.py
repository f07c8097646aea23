"""A call of a tool → the HTTP request of its operation, or why there is none.

Whatever an argument says, it stays in its place: in the path it is encoded and no segment of dots,
in a header it has no line end, in the query it sets no parameter but its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from urllib.parse import unquote

from msgspec import Struct

from extproc.mcp.openapi.form_bodies import decoded_base64, multipart, urlencoded, values_of
from extproc.mcp.openapi.styles import (
    Pair,
    Unsayable,
    encoded,
    header_text,
    in_header,
    in_path,
    of_query,
    pairs,
    text,
)
from extproc.mcp.openapi.tool import Tool
from extproc.protocols import json_spans
from gateway.openapi.values import Body, BodyKind, Location, Operation, Parameter, Style

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_LONGEST_LIST = 400
_COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]*")
"""RFC 6265 §4.1.1, `cookie-octet`."""


class HttpRequest(Struct, frozen=True):
    """What is sent to the API."""

    method: str
    path: str
    """With the query."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes


class BadArguments(Struct, frozen=True):
    """The call is refused; the model is told."""

    reasons: tuple[str, ...]


class _Refused(Exception):
    def __init__(self, argument: str, reason: str) -> None:
        super().__init__(f"argument '{argument}': {reason}")


def encode(tool: Tool, arguments: bytes) -> HttpRequest | BadArguments:
    """Of the JSON of the arguments, which must be one that `json_spans` accepts."""
    operation = tool.operation
    said = arguments.decode(errors="replace")
    faults = tool.input_faults(said)
    if faults:
        return BadArguments((*faults, _known(operation)))
    values = json_spans.decode_exactly(arguments)
    if not isinstance(values, dict):
        return BadArguments(("the arguments must be an object",))
    try:
        return _request(operation, values)
    except _Refused as refused:
        return BadArguments((str(refused),))


def _known(operation: Operation) -> str:
    body = operation.body
    names = [each.argument for each in operation.parameters]
    if body is not None:
        names += [body.argument] if body.argument else [each.argument for each in body.fields]
    listed = ", ".join(names)
    cut = listed if len(listed) <= _LONGEST_LIST else f"{listed[:_LONGEST_LIST]}…"
    return f"the arguments of {operation.name!r} are: {cut or 'none'}"


def _request(operation: Operation, values: dict[str, object]) -> HttpRequest:
    by_location: dict[Location, list[tuple[Parameter, object]]] = {each: [] for each in Location}
    for parameter in operation.parameters:
        value = values.get(parameter.argument)
        if value is None and parameter.default:
            value = json_spans.decode_exactly(parameter.default.encode())
        if value is not None:
            by_location[parameter.location].append((parameter, value))
        elif parameter.is_required:
            raise _Refused(parameter.argument, "is required")
    headers = {"accept": operation.accept}
    for parameter, value in by_location[Location.HEADER]:
        headers[parameter.name.lower()] = _in_header(parameter, value)
    cookies = _cookies(operation, by_location[Location.COOKIE])
    if cookies:
        headers["cookie"] = cookies
    body, content_type = _body(operation.body, values)
    if content_type:
        headers["content-type"] = content_type
    path = _path(operation, by_location[Location.PATH])
    query = _query(operation, by_location[Location.QUERY])
    if query:
        path += ("&" if "?" in path else "?") + query
    return HttpRequest(operation.method, path, tuple(headers.items()), body)


def _path(operation: Operation, given: list[tuple[Parameter, object]]) -> str:
    said: dict[str, str] = {}
    for parameter, value in given:
        try:
            _check_segments(parameter, value)
            if parameter.media_type:
                said[parameter.name] = encoded(_content(parameter, value))
            else:
                said[parameter.name] = in_path(
                    parameter.name, value, parameter.style, explode=parameter.explode
                )
        except Unsayable as error:
            raise _Refused(parameter.argument, str(error)) from None
    bare, mark, query = operation.path.partition("?")
    segments = bare.split("/")
    filled = [_PLACEHOLDER.sub(lambda found: said[found[1]], each) for each in segments]
    for written, segment in zip(segments, filled, strict=True):
        if written != segment and unquote(segment) in ("", ".", ".."):
            name = next(iter(_PLACEHOLDER.findall(written)))
            argument = next(each.argument for each, _ in given if each.name == name)
            raise _Refused(argument, "is empty, or dots, and would make another path")
    query = _PLACEHOLDER.sub(lambda found: said[found[1]], query)
    return f"{operation.base_path}{'/'.join(filled)}{mark}{query}" or "/"


def _check_segments(parameter: Parameter, value: object) -> None:
    """No part of a value is a way up, for servers that decode slashes before they look."""
    parts = value if isinstance(value, list) else [value]
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    for part in parts:
        if {".", ".."} & set(re.split(r"[/\\]", text(part))):
            raise Unsayable("has a segment of dots, which would lead to another path")


def _query(operation: Operation, given: list[tuple[Parameter, object]]) -> str:
    return "&".join(_members(given, operation.reserved, _in_query))


def _cookies(operation: Operation, given: list[tuple[Parameter, object]]) -> str:
    return "; ".join(_members(given, operation.reserved_cookies, _in_cookie))


def _members(
    given: list[tuple[Parameter, object]],
    reserved: Set[str],
    written: Callable[[Parameter, Pair], str],
) -> Iterator[str]:
    """Each `name=value`; objects must not set what is the operation's own."""
    for parameter, value in given:
        try:
            if parameter.media_type:
                said = encoded(_content(parameter, value))
                yield f"{encoded(parameter.name)}={said}"
                continue
            for pair in pairs(parameter.name, value, parameter.style, explode=parameter.explode):
                if pair.is_of_object and pair.name in reserved - {parameter.name}:
                    raise Unsayable(f"would set {pair.name!r}, which is not its own")
                yield written(parameter, pair)
        except Unsayable as error:
            raise _Refused(parameter.argument, str(error)) from None


def _in_query(parameter: Parameter, pair: Pair) -> str:
    return of_query(pair, allows_reserved=parameter.allows_reserved)


def _in_cookie(parameter: Parameter, pair: Pair) -> str:
    if parameter.style is not Style.COOKIE:
        return of_query(pair)
    plain = pair.delimiter.join(pair.texts)
    if not _COOKIE.fullmatch(plain):
        raise Unsayable("has characters that cannot stand in a cookie")
    return f"{encoded(pair.name)}={plain}"


def _in_header(parameter: Parameter, value: object) -> str:
    try:
        if parameter.media_type:
            return header_text(_content(parameter, value, is_ascii=True))
        return in_header(value, parameter.style, explode=parameter.explode)
    except Unsayable as error:
        raise _Refused(parameter.argument, str(error)) from None


def _content(parameter: Parameter, value: object, *, is_ascii: bool = False) -> str:
    """A parameter with a media type: JSON, or a text as it is."""
    if not parameter.media_type.partition(";")[0].strip().lower().endswith("json"):
        return text(value)
    said = json_spans.encode(value).decode()
    if not is_ascii:
        return said
    return "".join(each if each.isascii() else _escaped(each) for each in said)


def _escaped(character: str) -> str:
    code = character.encode("utf-16-be").hex()
    return "".join(f"\\u{code[index : index + 4]}" for index in range(0, len(code), 4))


def _body(body: Body | None, values: Mapping[str, object]) -> tuple[bytes, str]:
    """The body and its Content-Type; both empty: there is none."""
    if body is None:
        return b"", ""
    if body.argument:
        if body.argument not in values:
            return b"", ""
        content: object = values[body.argument]
        filenames: dict[str, str] = {}
    else:
        content = {
            each.name: values[each.argument] for each in body.fields if each.argument in values
        }
        filenames = {
            each.name: text(values[each.filename_argument])
            for each in body.fields
            if each.filename_argument in values and each.filename_argument
        }
        if not content and not body.is_required:
            return b"", ""
    try:
        return _written(body, content, filenames, values)
    except Unsayable as error:
        raise _Refused(body.argument or _culprit(body, values), str(error)) from None


def _written(
    body: Body, content: object, filenames: Mapping[str, str], values: Mapping[str, object]
) -> tuple[bytes, str]:
    media_type = body.media_type
    if body.media_type_argument:
        media_type = str(values.get(body.media_type_argument, media_type))
    if body.kind is BodyKind.JSON:
        return json_spans.encode(content), media_type
    if body.kind is BodyKind.BINARY:
        return decoded_base64(content), media_type
    if body.kind is BodyKind.TEXT:
        return text(content).encode(), media_type
    if not isinstance(content, dict):
        raise Unsayable("must be an object, as it is sent as a form")
    form = values_of(body.fields, content, filenames)
    if body.kind is BodyKind.FORM:
        return urlencoded(form), media_type
    return multipart(form)


def _culprit(body: Body, values: Mapping[str, object]) -> str:
    """The argument whose bytes are none."""
    for each in body.fields:
        if each.is_file and each.argument in values:
            files = values[each.argument]
            for file in files if isinstance(files, list) else [files]:
                try:
                    decoded_base64(file)
                except Unsayable:
                    return each.argument
    return next((each.argument for each in body.fields if each.argument in values), "body")
