from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gateway.config.reading import read_whole


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    assert len(read_whole(file)) == 3_000_000


def test_what_is_longer_than_any_configuration_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 11)
    assert read_whole(file, limit_bytes=11)
    with pytest.raises(OSError, match="longer than"):
        read_whole(file, limit_bytes=10)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_file(device: str) -> None:
    with pytest.raises(OSError, match="neither a file nor a pipe"):
        read_whole(Path(device))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_whole(tmp_path)


def test_a_pipe_that_nobody_writes_to_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_whole(tmp_path / "pipe") == b""


def test_a_pipe_is_read_to_its_end() -> None:
    reads, writes = os.pipe()

    def write() -> None:
        with os.fdopen(writes, "wb") as file:
            file.write(b"one " * 50_000)
            file.flush()
            file.write(b"two")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert read_whole(Path(f"/dev/fd/{reads}")) == b"one " * 50_000 + b"two"
    finally:
        writer.join()
        os.close(reads)


def test_a_pipe_whose_writer_is_silent_is_not_waited_for() -> None:
    reads, writes = os.pipe()
    try:
        with pytest.raises(TimeoutError):
            read_whole(Path(f"/dev/fd/{reads}"), seconds=0.01)
    finally:
        os.close(reads)
        os.close(writes)
