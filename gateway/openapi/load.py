"""An OpenAPI 3 or Swagger 2 document → the operations that an MCP server offers, or every Problem.

https://spec.openapis.org/oas/v3.1.1.html, https://swagger.io/specification/v2/. Operations that are
not chosen are not read, so what is wrong with them is nobody's problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from gateway.openapi.document import Document, Edition, Mistake, Unreadable
from gateway.openapi.operations import Reader, schemes_of
from gateway.openapi.reading import NotADocument, Place, Tree, line_of, pointer, read
from gateway.openapi.selection import Candidate, is_chosen, is_of
from gateway.openapi.servers import NOWHERE, Server, server_below, server_of_document
from gateway.openapi.tool_names import generated_name, tool_name, unique
from gateway.openapi.values import Api, Operation, Selection, Terms
from gateway.problem import Problem, did_you_mean

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_EDITIONS = (
    ("3.0", Edition.OPENAPI_3_0),
    ("3.1", Edition.OPENAPI_3_1),
    ("3.2", Edition.OPENAPI_3_1),
)
_EVERYTHING = Terms()


@dataclass(frozen=True, slots=True)
class _Found:
    """An operation that is there."""

    candidate: Candidate
    key: str
    """`GET /pets`"""
    node: dict[str, Tree]
    place: Place
    shared: list[tuple[Tree, Place]]
    server: Server


def load_api(text: str, terms: Terms = _EVERYTHING, *, file: str = "") -> Api | tuple[Problem, ...]:
    """Read a document. Nothing is fetched for it."""
    try:
        root = read(text)
        document = Document(root if isinstance(root, dict) else {}, _edition(root))
    except NotADocument as error:
        return (Problem("", error.message, error.line, file),)
    api = _Loading(document, terms).api()
    if document.mistakes:
        return tuple(_problem(each, text, file) for each in document.mistakes)
    return api


def no_document(text: str) -> str:
    """Why a text is no OpenAPI document at all; empty: it is one, right or wrong."""
    try:
        _edition(read(text))
    except NotADocument as error:
        return error.message
    return ""


def _edition(root: Tree) -> Edition:
    if not isinstance(root, dict):
        raise NotADocument("an OpenAPI document is an object")
    if str(root.get("swagger", "")) in ("2.0", "2"):
        return Edition.SWAGGER_2
    said = str(root.get("openapi", ""))
    for prefix, edition in _EDITIONS:
        if said == prefix or said.startswith(f"{prefix}."):
            return edition
    if not said and "swagger" not in root:
        raise NotADocument("it says neither 'openapi' nor 'swagger', so it is no OpenAPI document")
    raise NotADocument(
        f"version {said or root['swagger']!r} is not known; known: 2.0, 3.0, 3.1, 3.2"
    )


def _problem(mistake: Mistake, text: str, file: str) -> Problem:
    if not mistake.place:  # it is the operator's word that means nothing
        return Problem("", mistake.message, 0, file, mistake.hint)
    line = line_of(text, mistake.place)
    return Problem(pointer(mistake.place), mistake.message, line, file, mistake.hint)


class _Loading:
    """One document."""

    def __init__(self, document: Document, terms: Terms) -> None:
        self.document = document
        self.terms = terms
        self.names = dict(terms.names)
        self.used: set[str] = set()
        """Of `names`."""

    def api(self) -> Api:
        document, info = self.document, self.document.root.get("info")
        info = info if isinstance(info, dict) else {}
        server = self.server()
        found = list(self.found(server))
        chosen = [each for each in found if is_chosen(self.terms, each.candidate)]
        self.check_terms(found, chosen)
        schemes = schemes_of(document)
        reader = Reader(document, schemes, self.terms.own_query)
        operations: dict[str, Operation] = {}
        for each in chosen:
            try:
                name = self.name(each, operations)
                read = reader.operation(
                    name, each.candidate, each.node, each.place, each.shared, each.server.path
                )
            except Unreadable:
                continue
            operations[name] = read
        if not self.terms.has_output_schemas:
            operations = {name: without_output(each) for name, each in operations.items()}
        return Api(
            title=str(info.get("title", "")),
            version=str(info.get("version", "")),
            description=str(info.get("description") or ""),
            url=server.origin,
            operations=tuple(operations.values()),
            schemes=schemes,
        )

    def server(self) -> Server:
        try:
            found = server_of_document(self.document)
        except Unreadable:
            found = NOWHERE
        base = self.terms.base_path
        return found if base is None else Server(found.origin, base.rstrip("/"))

    def found(self, around: Server) -> Iterator[_Found]:
        """All operations, in the order of the document."""
        try:
            paths = self.document.mapping(self.document.root.get("paths"), ("paths",))
        except Unreadable:
            return
        for path, written in paths.items():
            if path.startswith("x-"):
                continue
            place: Place = ("paths", path)
            try:
                item, inner = self.document.followed(written, place)
                yield from self.of_path(path, self.document.mapping(item, inner), inner, around)
            except Unreadable:
                continue

    def of_path(
        self, path: str, item: dict[str, Tree], place: Place, around: Server
    ) -> Iterator[_Found]:
        shared = [
            (each, (*place, "parameters", index))
            for index, each in enumerate(
                self.document.items(item.get("parameters"), (*place, "parameters"))
            )
        ]
        for method, node, inner in self.methods(item, place):
            if not isinstance(node, dict):
                self.document.wrong(inner, "an operation must be an object")
                continue
            said, tags = node.get("operationId"), node.get("tags")
            operation_id = said if isinstance(said, str) else ""
            default = tool_name(operation_id) or generated_name(method, path)
            names = (operation_id, default) if operation_id else (default,)
            texts = tuple(str(each) for each in tags) if isinstance(tags, list) else ()
            candidate = Candidate(names, texts, method.upper(), path)
            if not is_chosen(self.terms, candidate):  # its servers are nobody's problem
                server = around
            else:
                server = server_below(self.document, item, place, around)
                server = server_below(self.document, node, inner, server)
            key = f"{method.upper()} {path}"
            yield _Found(candidate, key, node, inner, shared, server)

    def methods(self, item: dict[str, Tree], place: Place) -> Iterator[tuple[str, Tree, Place]]:
        for method in METHODS:
            if method in item:
                yield method, item[method], (*place, method)
        more = self.document.mapping(
            item.get("additionalOperations"), (*place, "additionalOperations")
        )
        for method, node in more.items():
            yield method, node, (*place, "additionalOperations", method)

    def name(self, found: _Found, taken: dict[str, Operation]) -> str:
        """As the operator says, else as the document does."""
        names = found.candidate.names
        for key in (names[0], found.key):
            if key in self.names:
                self.used.add(key)
                own = self.names[key]
                if tool_name(own) != own or not own:
                    hint = "up to 64 letters, digits, - and _"
                    self.document.wrong((), f"the name {own!r} of {key!r} is no tool's", hint)
                elif own in taken:
                    self.document.wrong((), f"the name {own!r} is given to two operations")
                return unique(own, taken)
        return unique(names[-1], taken)

    def check_terms(self, found: list[_Found], chosen: list[_Found]) -> None:
        """Words of the operator that mean nothing."""
        candidates = [each.candidate for each in found]
        for what, selections in (("include", self.terms.include), ("exclude", self.terms.exclude)):
            for selection in selections:
                if not any(is_of(selection, each) for each in candidates):
                    message = f"{what} {_shown(selection)} means no operation of the document"
                    self.document.wrong((), message, _near(selection, candidates))
        known = {key for each in found for key in (*each.candidate.names, each.key)}
        for key in self.names:
            if key not in known:
                self.document.wrong((), f"names: no operation {key!r}", did_you_mean(key, known))
        if not chosen and not self.document.mistakes:
            self.document.wrong(("paths",), "no operation is left", "see include and exclude")


def without_output(operation: Operation) -> Operation:
    """The same, whose answers may be anything."""
    return replace(operation, output_schema="", is_wrapped=False)


def _shown(selection: Selection) -> str:
    said = (
        f"{kind}: {', '.join(globs)}"
        for kind, globs in (
            ("names", selection.names),
            ("tags", selection.tags),
            ("methods", selection.methods),
            ("paths", selection.paths),
        )
        if globs
    )
    return f"({'; '.join(said)})"


def _near(selection: Selection, candidates: Iterable[Candidate]) -> str:
    """What may have been meant by the first word."""
    kinds = (
        (selection.names, {name for each in candidates for name in each.names}),
        (selection.tags, {tag for each in candidates for tag in each.tags}),
        (selection.paths, {each.path for each in candidates}),
    )
    return next((did_you_mean(globs[0], known) for globs, known in kinds if globs), "")
