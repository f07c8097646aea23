"""A control plane with its admin API, in a thread, for those who ask it over HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.model import Endpoint
from tests.kit.stack import eventually, free_ports
from xds_server.control_plane import Options, Plane, admin_serving, planning
from xds_server.documents import RemoteDocuments
from xds_server.history import FOLDER
from xds_server.resources.topology import Topology

SECONDS = 20


@dataclass(slots=True)
class RunningPlane:
    """No worker is expected, and nobody is connected unless a test connects."""

    file: Path
    state_dir: Path
    admin: Endpoint
    plane: Plane

    def version(self) -> str | None:
        accepted = self.plane.publisher.in_force
        return accepted.version if accepted else None

    def save(self, text: str) -> str:
        """The version, when it is in force and remembered."""
        before = self.version()
        self.file.write_text(text)
        eventually(lambda: self.version() not in (None, before), "the file is in force")
        version = self.version()
        assert version is not None
        self.until_remembered(version)
        return version

    def until_remembered(self, version: str) -> None:
        """Also by the disk."""
        folder = self.state_dir / FOLDER
        eventually(lambda: any(folder.glob(f"*-{version}.json")), "it is remembered")


@contextmanager
def running_plane(
    folder: Path, text: str, documents: RemoteDocuments | None = None
) -> Iterator[RunningPlane]:
    """Serving inside the block; its first configuration is in force."""
    file, state = folder / "gateway.yaml", folder / "state"
    file.write_text(text)
    options = Options(
        file=file,
        environment={},
        target=f"unix:{folder}/xds.sock",
        topology=Topology(workers=()),
        state_dir=state,
        documents=documents or RemoteDocuments(state),
    )
    admin = Endpoint("127.0.0.1", free_ports(1)[0])
    started, failures = threading.Event(), list[BaseException]()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    planes: list[Plane] = []

    async def serve() -> None:
        stopping = asyncio.Event()
        stop.append((asyncio.get_running_loop(), stopping))
        async with planning(options) as plane, admin_serving(plane, admin, plane.missing):
            planes.append(plane)
            started.set()
            await stopping.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as failure:
            failures.append(failure)
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(SECONDS)
        assert failures == []
        running = RunningPlane(file, state, admin, planes[0])
        eventually(lambda: running.version() is not None, "the file is in force")
        running.until_remembered(running.version() or "")
        yield running
    finally:
        loop, stopping = stop[0]
        if not failures:
            loop.call_soon_threadsafe(stopping.set)
        thread.join(SECONDS)
    assert failures == []
