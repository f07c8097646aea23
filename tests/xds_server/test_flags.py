"""What the texts of flags and variables may be."""

from __future__ import annotations

import argparse

import pytest

from gateway.model import Endpoint
from xds_server import flags


def parse(flag: flags.Flag, *argv: str, **environment: str) -> object:
    parser = argparse.ArgumentParser(exit_on_error=False)
    flag.add(parser)
    return flag.value(vars(parser.parse_args(argv))[flag.key], environment)


def test_the_command_line_is_above_the_environment_and_that_above_the_default() -> None:
    assert parse(flags.DEMO_PORT) == 18080
    assert parse(flags.DEMO_PORT, DRAGOMAN_DEMO_PORT="1") == 1
    assert parse(flags.DEMO_PORT, "--demo-port", "2", DRAGOMAN_DEMO_PORT="1") == 2


def test_an_empty_variable_is_none() -> None:
    assert parse(flags.WORKERS, DRAGOMAN_WORKERS="") is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("8080", Endpoint("127.0.0.1", 8080)),
        ("0.0.0.0:8080", Endpoint("0.0.0.0", 8080)),
        ("[::1]:8080", Endpoint("::1", 8080)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, where: Endpoint) -> None:
    assert flags.address(text) == where


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("18000", "127.0.0.1:18000"),
        ("xds:18000", "xds:18000"),
        ("[::1]:18000", "[::1]:18000"),
    ],
)
def test_a_target_is_an_address_or_a_socket(text: str, target: str) -> None:
    assert flags.target(text) == target


def test_several_targets_have_commas_between() -> None:
    assert flags.targets("a:1, unix:/b") == ("a:1", "unix:/b")
    assert flags.targets("none") == ()


def test_a_time_is_a_number_of_seconds() -> None:
    assert (flags.seconds("5"), flags.seconds("0.5s")) == (5, 0.5)


def test_metadata_is_said_by_dotted_keys() -> None:
    assert flags.metadata("labels.zone=eu-1, labels.app=web,note=a=b") == {
        "labels": {"zone": "eu-1", "app": "web"},
        "note": "a=b",
    }


@pytest.mark.parametrize("text", ["zone", "=a", "a..b=c", "a=b,a.c=d", "a.c=d,a=b", "a=b,a=c"])
def test_metadata_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        flags.metadata(text)


def test_a_version_has_two_or_three_numbers() -> None:
    assert (flags.version("1.37"), flags.version("1.40.2")) == ((1, 37, 0), (1, 40, 2))


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        (flags.PORT, "0"),
        (flags.PORT, "65536"),
        (flags.PORT, "http"),
        (flags.ADMIN, "host:"),
        (flags.XDS, "unix:"),
        (flags.WORKERS, "0"),
        (flags.WORKERS, "-1"),
        (flags.LOG_LEVEL, "loud"),
        (flags.TIMEOUT, "0"),
        (flags.TIMEOUT, "soon"),
        (flags.ENVOY_VERSION, "new"),
        (flags.VARIANT, "rest"),
    ],
)
def test_what_makes_no_sense_is_refused(flag: flags.Flag, text: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=flag.name):
        parse(flag, f"{flag.name}={text}")
    with pytest.raises(flags.InvalidVariable, match=f"^{flag.variable}: "):
        parse(flag, **{flag.variable: text})


def test_the_remedy_names_both_ways() -> None:
    assert flags.remedy(flags.ADMIN) == "--admin or DRAGOMAN_ADMIN_PORT"


def test_there_is_at_least_one_core() -> None:
    assert flags.cores() >= 1
