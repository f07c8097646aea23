"""External authorization services, as operators have them: by Envoy's gRPC protocol, and by HTTP.

Both go by the header `x-verdict` of the request: `allow`, `deny`, `hang`, `fail`; nothing denies.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import grpc
from envoy_api import message

from tests.kit.http_server import Handler, HttpServer

_METHOD = "/envoy.service.auth.v3.Authorization/Check"
_Request = message("envoy.service.auth.v3.CheckRequest")
_Response = message("envoy.service.auth.v3.CheckResponse")
DENIED = "not on the list"
_EVIL = {"x-dragoman-plan": "evil", "x-api-key": "stolen", ":path": "/elsewhere"}
"""What no service may say."""


class GrpcAuthz:
    """`with GrpcAuthz() as service: service.url, service.checks`."""

    def __init__(self) -> None:
        self.checks: list[Any] = []
        """CheckRequests."""
        self._server = grpc.server(ThreadPoolExecutor(8))
        handler = grpc.unary_unary_rpc_method_handler(
            self._check, _Request.FromString, lambda found: found.SerializeToString()
        )
        service, _, method = _METHOD[1:].partition("/")
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _check(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.checks.append(request)
        verdict = request.attributes.request.http.headers.get("x-verdict", "")
        if verdict == "hang":
            time.sleep(3)
        if verdict == "fail":
            context.abort(grpc.StatusCode.INTERNAL, "broken")
        said = {"x-tier": "gold", **_EVIL}
        headers = [
            {"header": {"key": name, "value": value}, "append_action": 2}
            for name, value in said.items()
        ]
        if verdict != "allow":
            return _Response(
                status={"code": 7},
                denied_response={
                    "status": {"code": 403},
                    "headers": [{"header": {"key": "x-why", "value": "list"}}],
                    "body": DENIED,
                },
            )
        found = _Response(status={"code": 0}, ok_response={"headers": headers})
        found.dynamic_metadata.update({"level": 5, "who": {"name": "ann"}})
        return found

    def __enter__(self) -> GrpcAuthz:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop(0).wait()


class HttpAuthz(HttpServer):
    """`with HttpAuthz() as service: service.url, service.requests`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        """Method, path, headers, body."""
        outer = self

        class Answering(Handler):
            def _check(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append((self.command, self.path, headers, body))
                verdict = headers.get("x-verdict", "")
                if verdict == "hang":
                    time.sleep(3)
                status = {"allow": 200, "fail": 500}.get(verdict, 403)
                answer = b"" if status == 200 else DENIED.encode()
                self.send_response(status)
                for name, value in {"x-tier": "gold", "x-level": "5", "x-why": "list"}.items():
                    self.send_header(name, value)
                for name, value in _EVIL.items():
                    if name[0] != ":":
                        self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = _check

        super().__init__(Answering)

    @property
    def url(self) -> str:
        return f"{super().url}/authz"
