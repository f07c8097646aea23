"""One operation of a document, read as a tool."""

from __future__ import annotations

import re

from gateway.json_schemas import InvalidSchema, Schema
from gateway.openapi.arguments import arguments_of
from gateway.openapi.bodies import ReadBody, body_of, body_of_swagger
from gateway.openapi.document import Document, Edition, Unreadable
from gateway.openapi.parameters import Read, parameters_of
from gateway.openapi.reading import Place, Tree
from gateway.openapi.responses import answers_of
from gateway.openapi.schemas import Direction, Schemas
from gateway.openapi.selection import Candidate
from gateway.openapi.values import Location, Operation, Scheme, Style

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_LONGEST_TITLE = 120


def schemes_of(document: Document) -> tuple[Scheme, ...]:
    """The API's security schemes."""
    if document.edition is Edition.SWAGGER_2:
        place: Place = ("securityDefinitions",)
        node = document.root.get("securityDefinitions")
    else:
        place = ("components", "securitySchemes")
        components = document.root.get("components")
        node = components.get("securitySchemes") if isinstance(components, dict) else None
    found = []
    try:
        for name, written in document.mapping(node, place).items():
            said = document.mapping(written, (*place, name))
            key = (said.get("in"), said.get("name"))
            location, parameter = map(str, key) if said.get("type") == "apiKey" else ("", "")
            found.append(Scheme(name, str(said.get("type", "")), location, parameter))
    except Unreadable:
        return ()
    return tuple(found)


class Reader:
    """Reads operations; what several of them use is read once."""

    def __init__(
        self, document: Document, schemes: tuple[Scheme, ...], own_query: tuple[str, ...] = ()
    ) -> None:
        """`own_query`: names in the query that are no arguments."""
        self._document = document
        self._requests = Schemas(document, Direction.REQUEST)
        self._answers = Schemas(document, Direction.ANSWER)
        self._hidden = frozenset(
            (
                each.location,
                each.parameter.lower() if each.location == "header" else each.parameter,
            )
            for each in schemes
            if each.parameter
        ) | {("query", name) for name in own_query}
        self._consumes = self._texts(document.root, (), "consumes")
        self._produces = self._texts(document.root, (), "produces")

    def operation(
        self,
        name: str,
        candidate: Candidate,
        node: dict[str, Tree],
        place: Place,
        shared: list[tuple[Tree, Place]],
        base_path: str,
    ) -> Operation:
        """Raises `Unreadable` when nothing can be made of it."""
        document = self._document
        own = document.items(node.get("parameters"), (*place, "parameters"))
        listed = [
            *shared,
            *((each, (*place, "parameters", index)) for index, each in enumerate(own)),
        ]
        parameters = parameters_of(document, self._requests, listed, self._hidden)
        parameters = self._of_path(candidate.path, parameters, place)
        body = self._body(node, place, listed)
        arguments = arguments_of(self._requests, parameters, body)
        produces = self._texts(node, place, "produces") or self._produces
        answers = answers_of(
            document, self._answers, node.get("responses"), (*place, "responses"), produces
        )
        self._check(arguments.input_schema, place, "parameters")
        self._check(answers.output_schema, place, "responses")
        title, description = _told(node)
        return Operation(
            name=name,
            method=candidate.method,
            path=candidate.path.partition("#")[0],  # which only tells operations apart
            base_path=base_path,
            title=title,
            description=description or f"{candidate.method} {candidate.path}",
            operation_id=str(node.get("operationId") or ""),
            tags=candidate.tags,
            parameters=arguments.parameters,
            body=arguments.body,
            input_schema=arguments.input_schema,
            output_schema=answers.output_schema,
            is_wrapped=answers.is_wrapped,
            accept=answers.accept,
            reserved=self._reserved(parameters, Location.QUERY),
            reserved_cookies=self._reserved(parameters, Location.COOKIE),
        )

    def _check(self, schema: str, place: Place, part: str) -> None:
        """What cannot be checked would refuse every call."""
        try:
            Schema.of(schema or "{}")
        except InvalidSchema as error:
            message = f"they make no JSON Schema: {error}"
            self._document.wrong((*place, part), message, "exclude the operation")

    def _body(
        self, node: dict[str, Tree], place: Place, listed: list[tuple[Tree, Place]]
    ) -> ReadBody | None:
        if self._document.edition is Edition.SWAGGER_2:
            consumes = self._texts(node, place, "consumes") or self._consumes
            return body_of_swagger(self._document, self._requests, listed, consumes)
        if "requestBody" not in node:
            return None
        return body_of(self._document, self._requests, node["requestBody"], (*place, "requestBody"))

    def _of_path(self, path: str, parameters: tuple[Read, ...], place: Place) -> tuple[Read, ...]:
        """Those of the path are what its template has; what is not described is a text."""
        if not path.startswith("/"):
            self._document.wrong(place[:-1], f"the path {path!r} begins with no slash")
        wanted = dict.fromkeys(_PLACEHOLDER.findall(path))
        described = {each.name for each in parameters if each.location is Location.PATH}
        for name in described - wanted.keys():
            message = f"the path has no {{{name}}}, which is the place of the parameter {name!r}"
            self._document.wrong((*place, "parameters"), message, "exclude the operation")
        missing = tuple(
            Read(
                name=name,
                location=Location.PATH,
                style=Style.SIMPLE,
                explode=False,
                allows_reserved=False,
                media_type="",
                is_required=True,
                default="",
                schema={"type": "string"},
            )
            for name in wanted
            if name not in described
        )
        return (*missing, *parameters)

    def _reserved(self, parameters: tuple[Read, ...], location: Location) -> frozenset[str]:
        own = {each.name for each in parameters if each.location is location}
        return frozenset(own | {name for place, name in self._hidden if place == location})

    def _texts(self, node: dict[str, Tree], place: Place, name: str) -> list[str]:
        listed = node.get(name)
        if listed is None:
            return []
        try:
            return [str(each) for each in self._document.items(listed, (*place, name))]
        except Unreadable:
            return []


def _told(node: dict[str, Tree]) -> tuple[str, str]:
    """Title and description."""
    summary, description = node.get("summary"), node.get("description")
    short = summary.strip() if isinstance(summary, str) else ""
    long = description.strip() if isinstance(description, str) else ""
    both = long if not short or long.startswith(short) else f"{short}\n\n{long}".strip()
    if node.get("deprecated") is True:
        both = f"Deprecated. {both}".strip()
    return (short if len(short) <= _LONGEST_TITLE else ""), both
