"""The shape of the code: sizes, names, and a test file for each module."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
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
BROUGHT_BY_OTHERS = {"pydantic_core"}  # by pydantic, of which it is a part
TESTED_THROUGH = {
    # values and tables without a decision: tested where they are used
    "gateway/model.py": "gateway/test_resolve.py",
    "gateway/a2a.py": "gateway/config/test_a2a_meaning.py",
    "gateway/alerts.py": "gateway/config/test_budgets.py",
    "xds_server/resources/direct_route.py": "xds_server/resources/test_mcp_route.py",
    "gateway/guards.py": "gateway/config/test_policies.py",
    "extproc/policies/remote/words.py": "extproc/policies/test_inquiry.py",
    "gateway/openapi/values.py": "gateway/openapi/test_load.py",
    "extproc/mcp/openapi/tool.py": "extproc/mcp/openapi/test_requests.py",
    "gateway/scopes.py": "gateway/config/test_policies.py",
    "gateway/credentials.py": "gateway/config/test_provider_meaning.py",
    "gateway/names.py": "xds_server/test_compile.py",
    "gateway/usage.py": "gateway/test_catalog.py",
    "gateway/external_authz.py": "gateway/config/test_external_authz.py",
    "gateway/failover.py": "gateway/config/test_failover.py",
    "gateway/identity.py": "gateway/config/test_identity.py",
    "gateway/audit_log/terms.py": "gateway/config/test_audit.py",
    "gateway/shaping.py": "gateway/config/test_shaping.py",
    "gateway/price.py": "gateway/test_catalog.py",
    "gateway/periods.py": "gateway/config/test_policies.py",
    "gateway/cel_variables.py": "gateway/test_cel.py",
    "extproc/events.py": "extproc/test_exchange.py",
    "extproc/facts.py": "extproc/test_exchange.py",
    "extproc/llm/token_weights.py": "extproc/llm/test_estimate.py",
    "extproc/verdict.py": "extproc/test_exchange.py",
    "extproc/rewording.py": "extproc/policies/test_guard.py",
    "extproc/llm/dialect.py": "extproc/llm/test_dialects.py",
    "extproc/llm/prompts.py": "extproc/llm/test_additions.py",
    "extproc/llm/request.py": "extproc/llm/test_translate.py",
    "extproc/llm/shapes.py": "extproc/llm/test_texts.py",
    "extproc/llm/answer.py": "extproc/llm/test_translate.py",
    "gateway/operations.py": "gateway/test_serving.py",
    "xds_server/subscription/words.py": "xds_server/subscription/test_stream.py",
    "xds_server/check.py": "xds_server/test_checks.py",
    "xds_server/explained.py": "xds_server/test_explanation.py",
    "xds_server/resources/topology.py": "xds_server/test_compile.py",
    # tables: one test goes through them all
    "gateway/importers/agentgateway/llm_keys.py": "gateway/importers/agentgateway/test_keys.py",
    "gateway/importers/agentgateway/policy_keys.py": "gateway/importers/agentgateway/test_keys.py",
    "gateway/importers/agentgateway/settings_keys.py": (
        "gateway/importers/agentgateway/test_keys.py"
    ),
    "gateway/importers/agentgateway/traffic_keys.py": "gateway/importers/agentgateway/test_keys.py",
    # what stores are told, and in which words: tested with the stores
    "extproc/adapters/reports.py": "extproc/adapters/test_ledger_store.py",
    "extproc/adapters/leased_ledger.py": "extproc/adapters/test_sqlite_ledger.py",
    "extproc/adapters/levels.py": "extproc/adapters/test_sqlite_ledger.py",
    "extproc/adapters/waiters.py": "extproc/adapters/test_sqlite_ledger.py",
    "extproc/a2a/forms/losses.py": "extproc/a2a/forms/test_protobuf.py",
    "extproc/policies/lines.py": "extproc/policies/test_budget.py",
    "extproc/read.py": "extproc/test_asking.py",
    "extproc/adapters/redis_scripts.py": "extproc/adapters/test_redis_server.py",
    "extproc/adapters/postgres_statements.py": "extproc/adapters/test_postgres_server.py",
    "gateway/config/alerts.py": "gateway/config/test_budgets.py",
    "gateway/ledger_tables.py": "xds_server/budgets/test_stores.py",
    "gateway/mcp_consents.py": "extproc/adapters/test_sqlite_consents.py",
    "xds_server/consents/rows.py": "xds_server/consents/test_desk.py",
    # one suite for all stores, and for both sides of them
    "extproc/adapters/postgres_consents.py": "extproc/adapters/test_consent_places.py",
    "extproc/adapters/redis_consents.py": "extproc/adapters/test_consent_places.py",
    "xds_server/consents/places.py": "extproc/adapters/test_consent_places.py",
    "xds_server/consents/postgres_rows.py": "extproc/adapters/test_consent_places.py",
    "xds_server/consents/redis_rows.py": "extproc/adapters/test_consent_places.py",
    "xds_server/admin/mcp.py": "xds_server/commands/test_mcp_tools.py",
    "xds_server/commands/mcp_consents.py": "xds_server/commands/test_mcp_tools.py",
    "gateway/mcp_pins.py": "extproc/adapters/test_tool_pins.py",
    "xds_server/budgets/store.py": "xds_server/budgets/test_stores.py",
    "xds_server/budgets/sqlite_store.py": "xds_server/budgets/test_stores.py",
    "xds_server/budgets/postgres_store.py": "xds_server/budgets/test_stores.py",
    "xds_server/budgets/redis_store.py": "xds_server/budgets/test_stores.py",
    # one suite for all servers, and for both sides of them
    "xds_server/ledger_postgres.py": "xds_server/budgets/test_stores.py",
    "xds_server/ledger_redis.py": "xds_server/budgets/test_stores.py",
    "xds_server/keys/postgres_store.py": "xds_server/keys/test_stores.py",
    "xds_server/keys/redis_store.py": "xds_server/keys/test_stores.py",
    "extproc/adapters/postgres_rates.py": "extproc/adapters/test_shared_rates.py",
    "extproc/adapters/redis_rates.py": "extproc/adapters/test_shared_rates.py",
    "extproc/adapters/postgres_sessions.py": "extproc/adapters/test_shared_sessions.py",
    "extproc/adapters/redis_sessions.py": "extproc/adapters/test_shared_sessions.py",
    "extproc/adapters/postgres_pins.py": "extproc/adapters/test_shared_pins.py",
    "extproc/adapters/redis_pins.py": "extproc/adapters/test_shared_pins.py",
    "extproc/adapters/postgres_keys.py": "xds_server/keys/test_stores.py",
    "extproc/adapters/redis_keys.py": "xds_server/keys/test_stores.py",
    "extproc/adapters/postgres_connection.py": "extproc/adapters/test_postgres_server.py",
    "extproc/adapters/redis_client.py": "extproc/adapters/test_redis_server.py",
    # what all commands and paths with a token share
    "xds_server/admin/asked.py": "xds_server/admin/test_keys.py",
    "xds_server/commands/with_token.py": "xds_server/commands/test_keys.py",
    # one suite for both edges
    "extproc/edges/service.py": "extproc/edges/test_edges.py",
    "extproc/edges/reference.py": "extproc/edges/test_edges.py",
    # what the hub is made of, asked through the servers that it offers
    "extproc/hub/lines.py": "extproc/hub/test_offered.py",
    "extproc/hub/links.py": "extproc/hub/test_offered.py",
    "extproc/hub/reading.py": "extproc/hub/test_offered.py",
    "extproc/hub/replies.py": "extproc/hub/test_offered.py",
    "extproc/hub/terms.py": "extproc/hub/test_offered.py",
    "extproc/hub/ways.py": "extproc/hub/test_site.py",
    "extproc/hub/web.py": "extproc/hub/test_edge.py",
    "extproc/flags.py": "extproc/test_main.py",
    # wiring: tested as the process that it starts
    "xds_server/__main__.py": "e2e/test_apart.py",
}
"""Modules without a test file of their own, and the file that covers each."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a module and how many lines it has."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def imported(path: Path) -> frozenset[str]:
    """The first names of all that a module imports."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return frozenset(name.partition(".")[0] for name in found)


@cache
def file_of_tests(path: Path) -> Path:
    """Where the tests of a module are."""
    return ROOT / "tests" / path.parent / f"test_{path.stem.strip('_')}.py"


def is_about(test: Path, module: Path) -> bool:
    """Whether a test file is a module's, a side of it (`test_http2_limits.py`), or its folder's.

    `test_envoy.py` is what a folder's modules do together with a real Envoy.
    """
    own = file_of_tests(module)
    if test.parent != own.parent:
        return False
    subject = test.stem.removeprefix("test_")
    return f"{test.stem}_".startswith(f"{own.stem}_") or subject in (module.parent.name, "envoy")


def test_there_are_modules() -> None:
    assert len(MODULES) > 50


def test_a_module_has_one_idea_and_says_which() -> None:
    texts = {path: (ROOT / path).read_text() for path in MODULES}
    assert [str(path) for path, text in texts.items() if text.count("\n") > MODULE_LINES] == []
    silent = [path for path, text in texts.items() if text and not ast.get_docstring(parsed(path))]
    assert silent == [], "the module docstring is missing"


def test_functions_fit_on_a_screen() -> None:
    long = [
        (str(path), name, lines)
        for path in MODULES
        for name, lines in functions(path)
        if lines > FUNCTION_LINES
    ]
    assert long == []


def test_whatever_is_imported_is_installed_with_us() -> None:
    """Tools of developers bring packages along that nobody else has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {canonical(re.match(r"[\w.-]+", each)[0]) for each in project["dependencies"]}  # type: ignore[index]
    brought = packages_distributions()
    ours = {*PACKAGES, "envoy_api", *sys.stdlib_module_names, "compression"}  # the last, from 3.14
    missing = {
        name
        for path in MODULES
        for name in imported(path) - ours
        if declared.isdisjoint(map(canonical, brought.get(name, ())))
    }
    assert missing == BROUGHT_BY_OTHERS


def canonical(name: str) -> str:
    """The name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


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


@pytest.mark.parametrize(("module", "test"), TESTED_THROUGH.items())
def test_every_exception_from_that_is_covered_elsewhere(module: str, test: str) -> None:
    assert (ROOT / module).is_file()
    assert (ROOT / "tests" / test).is_file()


def test_no_test_file_is_left_without_its_module() -> None:
    found = [path for package in PACKAGES for path in (ROOT / "tests" / package).rglob("test_*.py")]
    lost = [test for test in found if not any(is_about(test, module) for module in MODULES)]
    assert [str(test.relative_to(ROOT)) for test in lost] == []


@pytest.mark.parametrize("folder", ["envoy", "proto"])
def test_folders_do_not_shadow_installed_packages(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()
