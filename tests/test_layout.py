"""The shape of the code: sizes, names, and a test file for each module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("gateway", "extproc", "xds_server")
MODULE_LINES = 500
FUNCTION_LINES = 60
FORBIDDEN_NAMES = frozenset({"utils", "common", "helpers", "base", "manager", "handler", "misc"})
MODULES = sorted(
    path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")
)
TESTED_THROUGH = {
    # values without a decision, and what only wires: the tests of those who use them
    "gateway/model.py",
    "gateway/names.py",
    "gateway/usage.py",
    "extproc/events.py",
    "extproc/facts.py",
    "extproc/ports.py",
    "extproc/verdict.py",
    "xds_server/__main__.py",
    "xds_server/resources/topology.py",
}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a module and how many lines it has."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def file_of_tests(path: Path) -> Path:
    """Where the tests of a module are."""
    return ROOT / "tests" / path.parent / f"test_{path.stem}.py"


def is_about(test: Path, module: Path) -> bool:
    """Whether a test file is a module's, a side of it (`test_http2_limits.py`), or its folder's."""
    subject = test.stem.removeprefix("test_")
    if test.parent != file_of_tests(module).parent:
        return False
    return f"{subject}_".startswith(f"{module.stem}_") or subject == module.parent.name


def test_there_are_modules() -> None:
    assert len(MODULES) > 50


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_has_one_idea_and_says_which(path: Path) -> None:
    text = (ROOT / path).read_text()
    assert text.count("\n") <= MODULE_LINES
    assert not text or ast.get_docstring(ast.parse(text)), "the module docstring is missing"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_functions_fit_on_a_screen(path: Path) -> None:
    assert [(name, lines) for name, lines in functions(path) if lines > FUNCTION_LINES] == []


def test_no_module_is_named_after_nothing() -> None:
    assert [
        str(path) for path in MODULES if FORBIDDEN_NAMES & set(path.with_suffix("").parts)
    ] == []


def test_every_module_has_a_test_file_of_its_name() -> None:
    missing = [
        str(path)
        for path in MODULES
        if path.name != "__init__.py"
        and str(path) not in TESTED_THROUGH
        and not file_of_tests(path).exists()
    ]
    assert missing == []


def test_every_exception_from_that_is_a_module() -> None:
    assert sorted(TESTED_THROUGH - {str(path) for path in MODULES}) == []


def test_no_test_file_is_left_without_its_module() -> None:
    found = [path for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py")]
    lost = [test for test in found if not any(is_about(test, module) for module in MODULES)]
    assert [str(test.relative_to(ROOT)) for test in lost] == []


@pytest.mark.parametrize("folder", ["envoy", "proto"])
def test_folders_do_not_shadow_installed_packages(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()
