"""Run as a program: calls `xds:///NAME` again and again, and says who answered, one line each.

gRPC's xDS client reads its bootstrap from the environment when the process starts.
"""

from __future__ import annotations

import sys

import grpc

METHOD = "/tests.Greeter/Greet"


def main(name: str) -> None:
    with grpc.insecure_channel(f"xds:///{name}") as channel:
        greet = channel.unary_unary(METHOD)
        for line in sys.stdin:  # one call for each line that is asked for
            try:
                answer = greet(line.strip().encode(), wait_for_ready=True, timeout=10)
                print(answer.decode(), flush=True)
            except grpc.RpcError as error:
                print(f"{error.code().name}: {error.details()}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
