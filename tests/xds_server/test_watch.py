"""Every way in which a file is saved."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.config.files import Disk, Stamp, Watched
from xds_server.watch import watch

SECONDS = 5
DISK = Disk()


class Reader:
    """Reads the file at every call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.read: Watched = {}

    async def __call__(self) -> None:
        self.read = {self.path: DISK.stamp(self.path)}
        self.texts.put_nowait(self.path.read_text() if self.path.exists() else "(none)")

    def watched(self) -> Watched:
        return self.read

    async def next(self) -> str:
        async with asyncio.timeout(SECONDS):
            return await self.texts.get()


def watched(
    path: Path, scene: Callable[[Reader], Awaitable[None]], reader: Reader | None = None
) -> None:
    reader = reader or Reader(path)

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch(reader.watched, reader, interval_seconds=0.02))
            await scene(reader)
            watching.cancel()

    asyncio.run(run())


def unchanging(path: Path) -> Callable[[], Watched]:
    """Of one who never says that he has read it again."""
    read = {path: DISK.stamp(path)}
    return lambda: read


def test_the_file_is_read_at_once_and_after_each_write(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("one")

    async def scene(reader: Reader) -> None:
        assert await reader.next() == "one"
        path.write_text("two")
        assert await reader.next() == "two"
        path.write_text("six")  # of the same length
        assert await reader.next() == "six"

    watched(path, scene)


def test_a_rename_over_the_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("one")

    async def scene(reader: Reader) -> None:
        assert await reader.next() == "one"
        for text in ("two", "six"):
            new = tmp_path / ".gateway.yaml.swp"
            new.write_text(text)
            os.utime(new, ns=(0, 0))  # an editor may keep the times
            new.rename(path)
            assert await reader.next() == text

    watched(path, scene)


def test_the_swap_of_a_folder_behind_a_link_is_noticed(tmp_path: Path) -> None:
    """As Kubernetes mounts ConfigMaps: `gateway.yaml` → `..data/gateway.yaml`, `..data` → `..N`."""
    path = tmp_path / "gateway.yaml"
    data = tmp_path / "..data"

    def swap(number: int, text: str) -> None:
        folder = tmp_path / f"..{number}"
        folder.mkdir()
        (folder / "gateway.yaml").write_text(text)
        link = tmp_path / "..data_tmp"
        link.symlink_to(folder.name)
        link.rename(data)

    swap(1, "one")
    path.symlink_to("..data/gateway.yaml")

    async def scene(reader: Reader) -> None:
        assert await reader.next() == "one"
        swap(2, "two")
        assert await reader.next() == "two"
        swap(3, "six")
        assert await reader.next() == "six"

    watched(path, scene)


def test_a_file_may_come_later_and_go_for_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"

    async def scene(reader: Reader) -> None:
        assert await reader.next() == "(none)"
        path.write_text("one")
        assert await reader.next() == "one"
        path.unlink()
        path.write_text("two")
        assert await reader.next() == "two"

    watched(path, scene)


def test_a_call_that_lasts_does_not_delay_the_next_change(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("one")
    calls: asyncio.Queue[None] = asyncio.Queue()

    async def run() -> None:
        async def lasting() -> None:
            calls.put_nowait(None)
            await asyncio.Event().wait()

        async with asyncio.TaskGroup() as tasks, asyncio.timeout(SECONDS):
            watching = tasks.create_task(watch(unchanging(path), lasting, interval_seconds=0.02))
            await calls.get()
            path.write_text("two")
            await calls.get()
            watching.cancel()

    asyncio.run(run())


def test_a_failing_call_does_not_end_the_watch(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("one")
    read: asyncio.Queue[str] = asyncio.Queue()

    async def run() -> None:
        async def failing() -> None:
            read.put_nowait(path.read_text())
            raise ZeroDivisionError

        async with asyncio.TaskGroup() as tasks, asyncio.timeout(SECONDS):
            watching = tasks.create_task(watch(unchanging(path), failing, interval_seconds=0.02))
            assert await read.get() == "one"
            path.write_text("two")
            assert await read.get() == "two"
            watching.cancel()

    asyncio.run(run())


def test_a_save_is_noticed_well_under_a_second(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("one")

    async def run() -> None:
        reader = Reader(path)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch(reader.watched, reader))
            assert await reader.next() == "one"
            start = time.monotonic()
            path.write_text("two")
            assert await reader.next() == "two"
            assert time.monotonic() - start < 0.8
            watching.cancel()

    asyncio.run(run())


def test_a_file_that_is_gone_is_told_once_and_so_is_its_return(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("one")

    async def scene(reader: Reader) -> None:
        assert await reader.next() == "one"
        path.unlink()
        assert await reader.next() == "(none)"
        path.write_text("two")
        assert await reader.next() == "two"
        assert reader.texts.empty()

    watched(path, scene)


class Listing(Reader):
    """Reads a folder: which files it watches changes with every call."""

    async def __call__(self) -> None:
        read: dict[Path, Stamp | None] = {self.path: DISK.stamp(self.path)}
        texts = []
        for path in sorted(self.path.glob("*.yaml")):
            read[path] = DISK.stamp(path)
            texts.append(path.read_text())
        self.read = read
        self.texts.put_nowait(" ".join(texts))


def test_what_comes_into_a_folder_and_goes_is_noticed(tmp_path: Path) -> None:
    async def scene(reader: Reader) -> None:
        assert await reader.next() == ""
        (tmp_path / "a.yaml").write_text("a")
        assert await reader.next() == "a"
        (tmp_path / "a.yaml").write_text("A")
        assert await reader.next() == "A"
        (tmp_path / "b.yaml").write_text("b")
        assert await reader.next() == "A b"
        (tmp_path / "b.yaml").write_text("B")
        assert await reader.next() == "A B"
        (tmp_path / "a.yaml").unlink()
        assert await reader.next() == "B"
        assert reader.texts.empty()

    watched(tmp_path, scene, Listing(tmp_path))


def test_hidden_files_of_a_folder_are_nobodys_business(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a")
    before = DISK.stamp(tmp_path)
    (tmp_path / ".a.yaml.swp").write_text("x")
    assert DISK.stamp(tmp_path) == before


def test_a_change_while_a_load_reads_is_not_lost(tmp_path: Path) -> None:
    """What it read is old already when it says what it watches."""
    path, other = tmp_path / "gateway.yaml", tmp_path / "other.yaml"
    path.write_text("one")
    other.write_text("one")

    class Slow(Reader):
        async def __call__(self) -> None:
            stamps = {each: DISK.stamp(each) for each in (path, other)}
            text = other.read_text()
            if text == "one":
                other.write_text("two")
            self.read = stamps
            self.texts.put_nowait(text)

    async def scene(reader: Reader) -> None:
        assert await reader.next() == "one"
        assert await reader.next() == "two"

    watched(path, scene, Slow(path))


def test_times_that_jump_back_are_only_another_time(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("one")

    async def scene(reader: Reader) -> None:
        assert await reader.next() == "one"
        for number, seconds in enumerate((4e9, 0, 4e9, 1)):
            path.write_text(str(number))
            os.utime(path, (seconds, seconds))
            assert await reader.next() == str(number)

    watched(path, scene)
