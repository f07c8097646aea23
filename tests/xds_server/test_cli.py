"""The commands that end by themselves, and the page that describes all of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.kit.openapi_documents import document
from tests.kit.sites import Say, Site
from xds_server import cli

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "examples" / "quickstart.yaml"
BROKEN = "gateways: {default: {prot: 8080}}\nllm: {models: {a: nobody/x}}\n"


def test_a_valid_file_is_ok(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["validate", str(QUICKSTART)], {}) == 0
    assert capsys.readouterr().out == f"{QUICKSTART}: ok\n"


def test_who_reads_no_further_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = (sys.executable, "-m", "xds_server", "compile", str(QUICKSTART))
        ended = subprocess.run(
            command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_every_problem_of_every_file_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(BROKEN)
    two.write_text("nothing: here\n")
    assert cli.main(["validate", str(one), str(QUICKSTART), str(two)], {}) == 1
    said = capsys.readouterr()
    assert said.out == f"{QUICKSTART}: ok\n"
    for where in (f"{one}:1:", f"{one}:2:", f"{two}:1:"):
        assert where in said.err
    assert "did you mean 'port'?" in said.err


def test_documents_at_urls_are_fetched_to_look_at_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.yaml"
    with Site(lambda path: Say(body=document("/x", "get", {}).encode())) as site:
        file.write_text(f"mcp: {{servers: {{a: {{openapi: {{url: '{site.url}/o.json'}}}}}}}}\n")
        assert cli.main(["validate", str(file)], {}) == 0
        assert cli.main(["compile", str(file)], {}) == 0
        assert f"port_value: {site.port}" in capsys.readouterr().out
    assert cli.main(["validate", str(file)], {}) == 1
    told = capsys.readouterr().err
    assert f"{file}:1: mcp.servers.a.openapi.url: '{site.url}/o.json' cannot be fetched: " in told
    assert [each.name for each in tmp_path.iterdir()] == ["gateway.yaml"], "nothing is kept"


def test_warnings_do_not_fail_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("guardrails: [{type: openai-moderation}]\n")
    assert cli.main(["validate", str(file)], {}) == 0
    said = capsys.readouterr()
    assert said.out == f"{file}: ok\n"
    assert said.err.startswith(f"warning: {file}:1:")


def test_operators_own_resources_are_checked_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.yaml"
    resource = '{"@type": envoy.config.cluster.v3.Cluster, name: c, lb_polic: RANDOM}'
    file.write_text(f"xds:\n  resources:\n  - {resource}\n")
    assert cli.main(["validate", str(file)], {}) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{file}:3: xds.resources.0.lb_polic: unknown key 'lb_polic'")


def test_compiled_resources_are_yaml_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compile", str(QUICKSTART)], {}) == 0
    text = capsys.readouterr().out
    names = {document["name"] for document in yaml.safe_load_all(text)}
    assert {"dragoman_extproc", "llm/demo-a", "gateway/default"} <= names
    assert "demo-provider-key" not in text


def test_what_cannot_be_compiled_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(BROKEN)
    assert cli.main(["compile", str(file)], {}) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{file}:1:" in said.err


def test_another_gateways_file_is_valid_when_its_conversion_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    deployment = "{model_name: a, litellm_params: {model: openai/gpt-5, api_key: k}}"
    file.write_text(f"model_list: [{deployment}]\nlitellm_settings: {{set_verbose: true}}\n")
    assert cli.main(["validate", str(file)], {}) == 0
    said = capsys.readouterr()
    assert said.out == f"{file}: ok\n"
    assert "set_verbose" in said.err


@pytest.mark.parametrize(("envoy", "is_new"), [("1.40", True), ("1.37", False)])
def test_what_is_compiled_is_for_a_version_of_envoy(
    envoy: str, is_new: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compile", str(QUICKSTART), "--envoy", envoy], {}) == 0
    assert ("PriorityGroup" in capsys.readouterr().out) is is_new


def test_a_control_plane_without_workers_is_compiled_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["compile", str(QUICKSTART), "--extproc", "none"], {}) == 0
    assert "18001" not in capsys.readouterr().out


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"], {}) == 0
    assert "gateways" in json.loads(capsys.readouterr().out)["properties"]


def test_the_reference_is_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reference"], {}) == 0
    assert capsys.readouterr().out.startswith("# ")


def test_the_demo_says_which_port_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert cli.main(["demo", "--demo-port", port], {}) == 1
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in said
    assert "--demo-port or DRAGOMAN_DEMO_PORT" in said


def test_variables_that_make_no_sense_are_refused_by_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment = {"DRAGOMAN_WORKERS": "abc", "DRAGOMAN_PORT": "0", "DRAGOMAN_STATE_DIR": ""}
    assert cli.main(["run", str(QUICKSTART)], environment) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "dragoman run: DRAGOMAN_PORT: not a port: 0",
        "dragoman run: DRAGOMAN_WORKERS: not a whole number: abc",
    ]


def test_a_variable_that_a_flag_stands_above_may_be_anything() -> None:
    parser = cli.parser({"DRAGOMAN_DEMO_PORT": "abc"})
    arguments = parser.parse_args(["demo", "--demo-port", "18081"])
    assert cli.settle(arguments) == ()
    assert (arguments.demo_port, arguments.demo_address) == (18081, "127.0.0.1")
    assert arguments.typed == {"demo_port"}


def test_a_port_that_the_file_takes_no_notice_of_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("gateways:\n  default: {port: 8080}\n  other: {port: 8081}\n")
    state = tmp_path / "state"
    command = ["run", str(file), "--port", "9000", "--state-dir", str(state)]
    assert cli.main(command, {}) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"--port 9000 has no effect: {file} does not use ${{DRAGOMAN_PORT}}")
    assert "line 2" in line
    assert not state.exists()


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["rnu"], {})
    assert ended.value.code == 2
    assert "rnu" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "flag"), [("extproc", "--listen"), ("test", "--junit"), ("cel", "--with")]
)
def test_what_has_a_program_of_its_own_becomes_it(name: str, flag: str) -> None:
    command = [sys.executable, "-m", "xds_server", name, "--help"]
    help_text = subprocess.check_output(command, text=True, cwd=ROOT)
    assert help_text.startswith(f"usage: dragoman {name}")
    assert flag in help_text


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in cli.COMMANDS:
        if command.name not in ("extproc", "test", "cel"):
            with pytest.raises(SystemExit) as ended:
                cli.main([command.name, "--help"], {})
            assert ended.value.code == 0
            assert command.summary.split()[0] in capsys.readouterr().out


def test_the_page_about_the_command_line_is_current() -> None:
    page = ROOT / "docs" / "reference" / "cli.md"
    if os.environ.get("REWRITE"):
        page.write_text(cli.cli_markdown())
    assert page.read_text() == cli.cli_markdown()


def test_no_default_of_the_page_depends_on_the_machine() -> None:
    assert str(Path.home()) not in cli.cli_markdown()
