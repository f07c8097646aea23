"""An MCP server by the official SDK, with everything that servers can do, as a program of its own:
`python -m tests.kit.mcp_server --name one --port 9000 --era both`.

By Streamable HTTP at `/mcp`, or by stdio. What it was asked is at `/seen`. Two of them share the
tools' names, and the resource `shared://note`; each has its own `NAME://about`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any

import httpx
import uvicorn
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.mcpserver import (
    AcceptedElicitation,
    Context,
    Elicit,
    ElicitationResult,
    ListRoots,
    MCPServer,
    Resolve,
    Sample,
)
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import (
    CallToolResult,
    Completion,
    CompletionArgument,
    CompletionContext,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    EmptyResult,
    InputRequiredResult,
    JSONRPCMessage,
    ListRootsResult,
    PromptReference,
    ReadResourceRequestParams,
    ReadResourceResult,
    ResourceLink,
    ResourceTemplateReference,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
    UnsubscribeRequestParams,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

MODERN = "2026-07-28"
WATCHED = ("/mcp", "/sse", "/messages/")
COLOURS = ("amber", "azure", "black", "brown")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Name(BaseModel):
    """What the user is asked for."""

    name: str


class Sum(BaseModel):
    """Structured content."""

    total: int
    by: str


class Events(EventStore):
    """What was sent on streams, so that they can be resumed."""

    def __init__(self) -> None:
        self._sent: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self._sent.append((stream_id, message))
        return str(len(self._sent))

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        last = int(last_event_id)
        if not 0 < last <= len(self._sent):
            return None
        stream = self._sent[last - 1][0]
        for number, (of_stream, message) in enumerate(self._sent[last:], last + 1):
            if of_stream == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def built(name: str, page: int = 0, says: str = "") -> MCPServer:
    server = MCPServer(
        name,
        version="1.2.3",
        instructions=f"Ask {name} for sums.",
        log_level="ERROR",
        warn_on_duplicate_tools=False,
    )
    _plain_tools(server, name, says)
    _asking_tools(server)
    _changing_tools(server, name)
    _resources(server, name)
    _prompts(server, name)
    _low_level(server, name)
    for number in range(page):
        server.add_tool(_many, name=f"many_{number}", description=f"One of many: {number}")
    return server


def _many(text: str = "") -> str:
    return text


def _plain_tools(server: MCPServer, name: str, says: str) -> None:
    @server.tool(annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True))
    def add(a: int, b: int) -> Sum:
        """Adds two numbers."""
        return Sum(total=a + b, by=name)

    @server.tool(description=says or None)
    def echo(text: str) -> str:
        """Says who it is, and what it was told."""
        return f"{name}: {text}"

    @server.tool()
    def fail() -> str:
        """Always fails."""
        raise ToolError("it fails, as it should")

    @server.tool()
    async def slow(seconds: float) -> str:
        """Takes its time."""
        await asyncio.sleep(seconds)
        return f"{name} waited"

    @server.tool()
    async def progress(steps: int, ctx: Context) -> str:
        """Reports each step."""
        for step in range(1, steps + 1):
            await ctx.report_progress(step, steps, f"{name} step {step}")
        return f"{name} took {steps} steps"

    @server.tool()
    async def log(text: str, ctx: Context) -> str:
        """Logs what it is told."""
        await ctx.session.send_log_message(
            level="warning", data=f"{name}: {text}", related_request_id=ctx.request_id
        )
        return "logged"

    @server.tool()
    async def stuck(ctx: Context) -> str:
        """Begins, and comes to no end."""
        await ctx.session.send_log_message(
            level="warning", data=f"{name} begins", related_request_id=ctx.request_id
        )
        await asyncio.sleep(600)
        return "at last"

    @server.tool()
    def link() -> CallToolResult:
        """Points at a resource of its own."""
        about = ResourceLink(type="resource_link", name="about", uri=f"{name}://about")
        return CallToolResult(content=[about])

    @server.tool()
    def headers(ctx: Context) -> dict[str, str]:
        """The HTTP headers of this call."""
        return dict(ctx.headers or {})

    @server.tool()
    async def polled(ctx: Context) -> str:
        """Closes its stream, so that the client has to come again for the answer."""
        await ctx.close_sse_stream()
        await asyncio.sleep(0.05)
        return f"{name} was polled"


def _sampled(prompt: str) -> Sample:
    question = TextContent(type="text", text=prompt)
    return Sample([SamplingMessage(role="user", content=question)], max_tokens=10)


def _asked() -> Elicit[Name]:
    return Elicit("what is your name?", Name)


def _listed() -> ListRoots:
    return ListRoots()


def _asking_tools(server: MCPServer) -> None:
    @server.tool()
    async def sample(prompt: str, answer: Annotated[CreateMessageResult, Resolve(_sampled)]) -> str:
        """Asks the client's model."""
        text = answer.content.text if isinstance(answer.content, TextContent) else "?"
        return f"the model said: {text}"

    @server.tool()
    async def greet(answer: Annotated[ElicitationResult[Name], Resolve(_asked)]) -> str:
        """Asks the user for a name."""
        if isinstance(answer, AcceptedElicitation):
            return f"hello {answer.data.name}"
        return f"no name: {answer.action}"

    @server.tool()
    async def roots(found: Annotated[ListRootsResult, Resolve(_listed)]) -> str:
        """Lists the client's roots."""
        return ", ".join(str(each.uri) for each in found.roots)


def _changing_tools(server: MCPServer, name: str) -> None:
    @server.tool()
    async def grow(tool: str, ctx: Context) -> str:
        """Adds a tool, and says that the list has changed."""
        server.add_tool(lambda: f"{name} has grown", name=tool, description="It was added.")
        await ctx.session.send_tool_list_changed()
        await ctx.notify_tools_changed()
        return "grown"

    @server.tool()
    async def update(uri: str, ctx: Context) -> str:
        """Says that a resource has changed."""
        await ctx.session.send_resource_updated(uri)
        await ctx.notify_resource_updated(uri)
        return "updated"


def _resources(server: MCPServer, name: str) -> None:
    @server.resource(f"{name}://about")
    def about() -> str:
        """Who this is."""
        return f"this is {name}"

    @server.resource("shared://note")
    def note() -> str:
        """What others have too."""
        return f"the note of {name}"

    @server.resource(f"{name}://rooms/{{room}}")
    def room(room: str) -> str:
        """One of many."""
        return f"room {room} of {name}"


def _prompts(server: MCPServer, name: str) -> None:
    @server.prompt()
    def review(colour: str) -> str:
        """Asks for a review."""
        return f"{name}, review {colour}"

    @server.completion()
    async def complete(
        _ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        _context: CompletionContext | None,
    ) -> Completion:
        values = [each for each in COLOURS if each.startswith(argument.value)]
        return Completion(values=[*values, name], total=len(values) + 1, has_more=False)


async def _name_of_user(
    context: Any, params: ReadResourceRequestParams
) -> str | InputRequiredResult:
    """What the client is asked before a resource is told that no list has."""
    form: Any = {"type": "object", "properties": {"name": {"type": "string"}}}
    if context.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
        found = await context.session.elicit_form("who?", form, context.request_id)
        return str(found.content)
    if params.input_responses:
        assert params.request_state == "half way"
        return str(params.input_responses["who"].content)  # type: ignore[union-attr]
    asked = ElicitRequest(params=ElicitRequestFormParams(message="who?", requested_schema=form))
    return InputRequiredResult(input_requests={"who": asked}, request_state="half way")


def _low_level(server: MCPServer, name: str) -> None:
    """What the ergonomic interface does not have: subscriptions and logging levels of sessions,
    and the announcement of list changes."""
    low = server._lowlevel_server

    async def subscribe(_context: Any, params: SubscribeRequestParams) -> EmptyResult:
        return EmptyResult()

    async def unsubscribe(_context: Any, params: UnsubscribeRequestParams) -> EmptyResult:
        return EmptyResult()

    async def set_level(_context: Any, params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()

    listed = low.get_request_handler("resources/read")
    assert listed is not None

    async def read(context: Any, params: ReadResourceRequestParams) -> Any:
        if params.uri != f"hidden://{name}":
            return await listed.handler(context, params)
        said = await _name_of_user(context, params)
        if isinstance(said, InputRequiredResult):
            return said
        text = TextResourceContents(uri=params.uri, text=f"{name} knows {said}")
        return ReadResourceResult(contents=[text])

    low.add_request_handler("resources/read", ReadResourceRequestParams, read)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
    options = low.create_initialization_options

    def announced(*_: Any, **__: Any) -> Any:
        return options(NotificationOptions(True, True, True))

    low.create_initialization_options = announced  # type: ignore[method-assign]


class OfAnEra:
    """Servers that know one era only answer the other as such servers do."""

    def __init__(self, app: App, era: str) -> None:
        self._app, self._era = app, era

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in WATCHED:
            return await self._app(scope, receive, send)
        version = next(
            (v.decode() for k, v in scope["headers"] if k == b"mcp-protocol-version"), ""
        )
        is_modern = bool(version) and version not in HANDSHAKE_PROTOCOL_VERSIONS
        if self._era == "legacy" and is_modern:
            return await self._refused(-32600, "Bad Request: Unsupported protocol version")(
                scope, receive, send
            )
        if self._era == "modern" and not is_modern:
            if scope["method"] != "POST":
                return await Response(status_code=405)(scope, receive, send)
            data = {"supported": [MODERN], "requested": version or "2025-11-25"}
            refused = self._refused(-32022, "Unsupported protocol version", data)
            return await refused(scope, receive, send)
        return await self._app(scope, receive, send)

    @staticmethod
    def _refused(code: int, message: str, data: Any = None) -> Response:
        error = {"code": code, "message": message} | ({"data": data} if data else {})
        return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)


class Seen:
    """Remembers what came: `left` says that the client hung up, `answered` that it got all."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.requests: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in WATCHED:
            return await self._app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = bytearray()
        row = {"method": scope["method"], "headers": headers, "body": None, "left": False}
        self.requests.append(row)

        async def read() -> MutableMapping[str, Any]:
            message = await receive()
            row["left"] = row["left"] or message["type"] == "http.disconnect"
            body.extend(message.get("body", b""))
            if message["type"] == "http.request" and not message.get("more_body"):
                row["body"] = body.decode()
            return message

        async def write(message: MutableMapping[str, Any]) -> None:
            row["answered"] = message["type"] == "http.response.body" and not message.get(
                "more_body"
            )
            await send(message)

        await self._app(scope, read, write)


class Guarded:
    """Lets in whoever brings a token that its authorization server knows."""

    def __init__(self, app: App, url: str) -> None:
        self._app, self._url = app, url
        self._http = httpx.AsyncClient()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in WATCHED:
            said = dict(scope["headers"]).get(b"authorization", b"").decode()
            token = said.removeprefix("Bearer ")
            found = await self._http.get(self._url, params={"token": token})
            if found.status_code != 200:
                head = {"www-authenticate": 'Bearer error="invalid_token"'}
                refused = JSONResponse({"error": "invalid_token"}, 401, head)
                return await refused(scope, receive, send)
        await self._app(scope, receive, send)


def served(server: MCPServer, options: argparse.Namespace) -> App:
    seen: list[Seen] = []

    @server.custom_route("/seen", methods=["GET", "DELETE"])
    async def show(request: Request) -> Response:
        if request.method == "DELETE":
            seen[0].requests.clear()
        return JSONResponse(seen[0].requests)

    if options.sse:
        seen.append(Seen(server.sse_app()))  # type: ignore[arg-type]
        return seen[0]
    app: Any = server.streamable_http_app(
        event_store=Events() if options.resumable else None,
        retry_interval=50 if options.resumable else None,
        json_response=options.json,
        max_request_body_size=64 << 20,
        stateless_http=options.stateless,
    )
    inner: App = OfAnEra(app, options.era)
    seen.append(Seen(Guarded(inner, options.tokens) if options.tokens else inner))
    return seen[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, default=0, help="0: stdio")
    parser.add_argument("--era", choices=["both", "legacy", "modern"], default="both")
    parser.add_argument("--tools", type=int, default=0, help="so many more")
    parser.add_argument("--tokens", default="", help="where it is asked whether a token is good")
    parser.add_argument("--says", default="", help="the description of echo")
    parser.add_argument("--json", action="store_true", help="answers are no event streams")
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--resumable", action="store_true")
    parser.add_argument("--sse", action="store_true", help="as in 2024-11-05, at /sse")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    server = built(options.name, options.tools, options.says)
    if not options.port:
        return server.run("stdio")
    app = served(server, options)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="error")


if __name__ == "__main__":
    main()
