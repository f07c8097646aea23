from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.config.files import (
    Disk,
    Files,
    Nowhere,
    Remembered,
    Stamp,
    expand,
    is_glob,
    yaml_files,
)

DISK = Disk()


def tree(folder: Path, *files: str) -> Path:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def names(folder: Path, pattern: str, files: Files = DISK) -> list[str]:
    found = expand(files, folder / pattern)
    assert found.troubles == ()
    return [str(path.relative_to(folder)) for path in found.paths]


def test_a_star_stays_in_its_folder_and_two_go_down(tmp_path: Path) -> None:
    tree(tmp_path, "a.yaml", "b.yml", "x/c.yaml", "x/y/d.yaml", "z/d.yaml")
    assert names(tmp_path, "*.yaml") == ["a.yaml"]
    assert names(tmp_path, "*/*.yaml") == ["x/c.yaml", "z/d.yaml"]
    assert names(tmp_path, "**/*.yaml") == ["a.yaml", "x/c.yaml", "x/y/d.yaml", "z/d.yaml"]
    assert names(tmp_path, "x/**/d.yaml") == ["x/y/d.yaml"]
    assert names(tmp_path, "**/**/d.yaml") == ["x/y/d.yaml", "z/d.yaml"]
    assert names(tmp_path, "[a-b].y*ml") == ["a.yaml", "b.yml"]
    assert names(tmp_path, "nowhere/*.yaml") == []
    assert names(tmp_path, "**") == []


def test_what_is_hidden_is_found_only_when_it_is_asked_for(tmp_path: Path) -> None:
    tree(tmp_path, ".a.yaml", "..data/b.yaml", "c.yaml")
    assert names(tmp_path, "*.yaml") == ["c.yaml"]
    assert names(tmp_path, "**/*.yaml") == ["c.yaml"]
    assert names(tmp_path, ".*.yaml") == [".a.yaml"]


def test_a_folder_is_no_file_whatever_its_name(tmp_path: Path) -> None:
    tree(tmp_path, "a.yaml/b.yaml")
    assert names(tmp_path, "*.yaml") == []
    assert names(tmp_path, "*.yaml/*.yaml") == ["a.yaml/b.yaml"]


def test_every_folder_that_was_searched_is_told(tmp_path: Path) -> None:
    tree(tmp_path, "x/y/a.yaml", "z/b.txt")
    found = expand(DISK, tmp_path / "**/*.yaml")
    assert set(found.folders) == {tmp_path / each for each in (".", "x", "x/y", "z")}
    missing = expand(DISK, tmp_path / "none/*.yaml")
    assert dict(missing.folders) == {tmp_path / "none": None}


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    tree(tmp_path, "x/a.yaml")
    (tmp_path / "x/again").symlink_to(tmp_path)
    assert "x/a.yaml" in names(tmp_path, "**/a.yaml")


def test_links_that_lead_in_many_circles_end_soon(tmp_path: Path) -> None:
    tree(tmp_path, "x/a.yaml")
    for name in ("here", "there", "elsewhere"):
        (tmp_path / "x" / name).symlink_to(tmp_path)
    assert names(tmp_path, "**/**/a.yaml") == ["x/a.yaml"]


def test_a_pipe_is_waited_for_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    assert DISK.read_bytes(tmp_path / "a.yaml") == b""


def test_both_suffixes_of_a_folder_are_read_by_name(tmp_path: Path) -> None:
    tree(tmp_path, "b.yaml", "a.yml", "c.json", "x/d.yaml", ".e.yaml")
    assert [path.name for path in yaml_files(DISK, tmp_path).paths] == ["a.yml", "b.yaml"]


def test_a_config_map_is_a_folder_like_any_other(tmp_path: Path) -> None:
    tree(tmp_path, "..2026/a.yaml")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert yaml_files(DISK, tmp_path).paths == (tmp_path / "a.yaml",)


class Locked(Disk):
    """A disk on which no folder may be read."""

    def names(self, folder: Path) -> tuple[str, ...]:
        raise PermissionError(13, "Permission denied")


def test_a_folder_that_may_not_be_read_is_not_empty(tmp_path: Path) -> None:
    found = expand(Locked(), tmp_path / "*.yaml")
    assert found.troubles == (f"{tmp_path} cannot be read: permission denied",)


class Closed(Disk):
    """Names can be listed, and nothing behind them can be looked at."""

    def is_dir(self, path: Path) -> bool:
        raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("pattern", ["*.yaml", "**/*.yaml", "*/*.yaml"])
def test_what_cannot_be_looked_at_is_trouble_and_left_out_by_no_pattern(
    tmp_path: Path, pattern: str
) -> None:
    tree(tmp_path, "a.yaml")
    found = expand(Closed(), tmp_path / pattern)
    assert (found.paths, found.troubles) == (
        (),
        (f"{tmp_path / 'a.yaml'} cannot be read: permission denied",),
    )


def test_remembered_files_are_as_they_were(tmp_path: Path) -> None:
    tree(tmp_path, "a.yaml", "x/b.yaml", "x/new.yaml", "key.pem")
    texts = {str(tmp_path / "a.yaml"): "old a", str(tmp_path / "x/b.yaml"): "old b"}
    files = Remembered(texts, DISK)
    assert files.read_bytes(tmp_path / "a.yaml") == b"old a"
    assert files.read_bytes(tmp_path / "key.pem") == b"key.pem"
    assert names(tmp_path, "**/*.yaml", files) == ["a.yaml", "x/b.yaml"]
    assert files.is_dir(tmp_path / "x")
    assert not files.is_dir(tmp_path / "a.yaml")


def test_a_remembered_folder_may_be_gone(tmp_path: Path) -> None:
    files = Remembered({str(tmp_path / "gone/a.yaml"): "old"}, DISK)
    assert files.is_dir(tmp_path / "gone")
    assert names(tmp_path, "gone/*.yaml", files) == ["gone/a.yaml"]
    assert files.stamp(tmp_path / "gone") is None


def test_remembered_files_are_found_however_they_are_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = Remembered({str(tmp_path / "a.yaml"): "old"}, DISK)
    assert files.read_bytes(Path("./x/../a.yaml")) == b"old"


def test_nowhere_has_nothing_and_says_why(tmp_path: Path) -> None:
    tree(tmp_path, "a.yaml")
    with pytest.raises(PermissionError, match="came without them"):
        Nowhere().read_bytes(tmp_path / "a.yaml")
    assert not Nowhere().is_dir(tmp_path)
    (trouble,) = expand(Nowhere(), tmp_path / "*.yaml").troubles
    assert trouble.endswith("came without them")


def test_a_stamp_tells_every_way_of_saving(tmp_path: Path) -> None:
    path = tree(tmp_path, "a.yaml") / "a.yaml"
    stamps: set[Stamp | None] = {DISK.stamp(path)}
    path.write_text("another")
    stamps.add(DISK.stamp(path))
    os.utime(path, (0, 0))
    stamps.add(DISK.stamp(path))
    (tmp_path / "b.yaml").write_text("another")
    (tmp_path / "b.yaml").rename(path)
    stamps.add(DISK.stamp(path))
    path.unlink()
    stamps.add(DISK.stamp(path))
    assert len(stamps) == 5
    assert DISK.stamp(path) is None


def test_globs_are_told_from_names() -> None:
    assert [is_glob(each) for each in ("a*", "a?", "[a]", "a.yaml", "a/b")] == [
        True,
        True,
        True,
        False,
        False,
    ]
