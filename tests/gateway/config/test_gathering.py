from __future__ import annotations

from pathlib import Path

from gateway.config.document import Document, read
from gateway.config.files import Disk
from gateway.config.gathering import MAX_INCLUDES_DEEP, Gathered, Gathering, absolute, content_of
from tests.gateway.config.writing import write


def gathered(root: Path, text: str | None = None) -> Gathered:
    return Gathering(Disk(), parsed).gather(root, text)


def parsed(text: str) -> Document:
    return read(text, {})


def files(found: Gathered, folder: Path) -> list[str]:
    return [str(Path(part.file).relative_to(folder)) for part in found.parts]


def test_what_is_included_follows_who_says_so_in_the_order_of_names(tmp_path: Path) -> None:
    write(
        tmp_path,
        root="include: ['conf.d/*.yaml', 'last.yaml']",
        conf__b="admin: {}",
        conf__a="admin: {}",
        last="include: ['deep/*.yaml']",
        deep__x="admin: {}",
    )
    (tmp_path / "conf").rename(tmp_path / "conf.d")
    found = gathered(tmp_path / "root.yaml")
    assert files(found, tmp_path) == [
        "root.yaml",
        "conf.d/a.yaml",
        "conf.d/b.yaml",
        "last.yaml",
        "deep/x.yaml",
    ]
    assert next(iter(found.texts)) == absolute(tmp_path / "root.yaml")
    assert len(found.texts) == 5


def test_paths_are_relative_to_the_file_that_says_so(tmp_path: Path) -> None:
    write(tmp_path, root="include: [a/one.yaml]", a__one="include: [../b/*.yaml]", b__two="admin:")
    found = gathered(tmp_path / "root.yaml")
    assert [part.file for part in found.parts][-1] == str(tmp_path / "a/../b/two.yaml")
    assert absolute(tmp_path / "b/two.yaml") in found.texts


def test_a_file_counts_once_however_often_it_is_included(tmp_path: Path) -> None:
    write(
        tmp_path,
        root="include: ['*.yaml', './a.yaml', a.yaml]",
        a="include: [b.yaml, root.yaml]",
        b="include: [a.yaml]",
    )
    found = gathered(tmp_path / "root.yaml")
    assert files(found, tmp_path) == ["root.yaml", "a.yaml", "b.yaml"]
    assert (found.problems, found.findings, found.warnings) == ((), (), ())


def test_a_folder_can_be_included(tmp_path: Path) -> None:
    write(tmp_path, root="include: [teams, none]", teams__a="admin:", teams__b="admin:")
    (tmp_path / "none").mkdir()
    found = gathered(tmp_path / "root.yaml")
    assert files(found, tmp_path) == ["root.yaml", "teams/a.yaml", "teams/b.yaml"]
    assert [each.message for each in found.warnings] == ["no file matches"]


def test_a_name_that_leads_to_nothing_is_wrong_and_a_glob_is_not(tmp_path: Path) -> None:
    write(tmp_path, root="include:\n- a.yaml\n- b*.yaml\n")
    found = gathered(tmp_path / "root.yaml")
    (wrong,) = found.findings
    assert wrong.line == 2
    assert wrong.message.endswith("a.yaml' cannot be read: no such file or directory")
    assert [(each.line, each.message) for each in found.warnings] == [(3, "no file matches")]
    assert {tmp_path / "a.yaml", tmp_path} <= set(found.watched)


def test_an_empty_file_among_others_is_half_written(tmp_path: Path) -> None:
    write(tmp_path, a="admin: {}", b=" \n", c="# nothing yet\n")
    (problem,) = gathered(tmp_path).problems
    assert problem.file == str(tmp_path / "b.yaml")
    assert problem.message == "is empty"


def test_a_folder_without_yaml_and_one_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = gathered(tmp_path).problems
    assert (
        str(problem) == f"{tmp_path}: has no .yaml file" or problem.message == "has no .yaml file"
    )
    (problem,) = gathered(tmp_path / "none").problems
    assert problem.message == "cannot be read: no such file or directory"


def test_includes_without_end_end(tmp_path: Path) -> None:
    depth = MAX_INCLUDES_DEEP + 3
    write(tmp_path, **{f"f{i}": f"include: [f{i + 1}.yaml]" for i in range(depth)})
    found = gathered(tmp_path / "f0.yaml")
    assert len(found.parts) == MAX_INCLUDES_DEEP + 1
    (wrong,) = found.findings
    assert "inside each other" in wrong.message


def test_prices_stand_where_they_would_be_written(tmp_path: Path) -> None:
    write(tmp_path, root="llm: {price_files: [p.yaml, p.yaml, none.json]}", p="a: {input: 1}")
    found = gathered(tmp_path / "root.yaml")
    assert [part.at for part in found.parts] == [(), ("llm", "prices")]
    assert list(found.referenced) == [absolute(tmp_path / "p.yaml")]
    assert absolute(tmp_path / "p.yaml") not in found.texts
    (wrong,) = found.findings
    assert wrong.path == ("llm", "price_files", 2)


def test_a_text_can_stand_for_the_root(tmp_path: Path) -> None:
    write(tmp_path, root="admin: {}", a="admin: {}")
    found = gathered(tmp_path / "root.yaml", "include: [a.yaml]")
    assert files(found, tmp_path) == ["root.yaml", "a.yaml"]
    assert found.root_text == "include: [a.yaml]"


def test_what_cannot_be_followed_is_left_to_the_schema(tmp_path: Path) -> None:
    for text in ("include: 3", "include: [3, {}]", "llm: []", "- include", 'include: ["${NO}"]'):
        found = gathered(tmp_path / "root.yaml", text)
        assert (len(found.parts), found.findings) == (1, ())


def test_a_zero_byte_in_a_path_is_no_crash(tmp_path: Path) -> None:
    found = gathered(tmp_path / "root.yaml", 'include: ["a\\0b.yaml", "a\\0*.yaml"]')
    assert [each.message.rpartition(" ")[2] for each in found.findings] == ["directory"]


def test_bytes_that_are_no_text_say_where(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"ab\xff")
    assert content_of(Disk(), path) == "not utf-8: byte 2 is invalid"
    assert content_of(Disk(), tmp_path) == "cannot be read: is a directory"


class Closed(Disk):
    """A folder that may be named, and not entered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_dir(self, path: Path) -> bool:
        self._enter(path)
        return super().is_dir(path)

    def read_bytes(self, path: Path) -> bytes:
        self._enter(path)
        return super().read_bytes(path)

    def _enter(self, path: Path) -> None:
        if self.folder in path.parents:
            raise PermissionError(13, "Permission denied")


def test_a_root_in_a_folder_that_cannot_be_entered_is_a_problem(tmp_path: Path) -> None:
    root = tmp_path / "root.yaml"
    found = Gathering(Closed(tmp_path), parsed).gather(root)
    assert [str(each) for each in found.problems] == [f"{root}: cannot be read: permission denied"]
    assert root in found.watched


def test_what_is_included_from_a_folder_that_cannot_be_entered_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, root="include: [closed/a.yaml]", closed__a="admin: {}")
    found = Gathering(Closed(tmp_path / "closed"), parsed).gather(tmp_path / "root.yaml")
    path = tmp_path / "closed/a.yaml"
    assert [each.message for each in found.findings] == [
        f"'{path}' cannot be read: permission denied"
    ]
