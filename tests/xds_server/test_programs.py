"""What a command becomes before anything else is read."""

from __future__ import annotations

import subprocess
import sys

from xds_server import cli, programs


def test_all_of_them_are_commands() -> None:
    assert programs.OWN.keys() <= {command.name for command in cli.COMMANDS}


def test_a_command_that_is_no_program_of_its_own_goes_on() -> None:
    for argv in ([], ["run", "file"], ["extprocs"]):
        programs.become_own(argv, {})


def test_a_program_has_the_words_behind_its_name_and_the_environment_that_it_is_given() -> None:
    script = (
        "import os; from xds_server import programs; "
        "programs.become('json.tool', ('--compact', '-'), {'PATH': os.environ['PATH']})"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], input='{"a": [1, 2]}', capture_output=True, text=True
    )
    assert said.stdout == '{"a":[1,2]}\n'
