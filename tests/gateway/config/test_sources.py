from __future__ import annotations

import os
from pathlib import Path

import gateway.catalog
from gateway.catalog import catalog
from gateway.config.check import warnings
from gateway.config.files import Disk, Nowhere, Remembered
from gateway.config.load import load
from gateway.config.sources import Loader, load_sources
from gateway.imported import Imported, Mapped, Outcome
from gateway.problem import Problem
from gateway.resolve import resolve
from tests.gateway.config.writing import config_of, said, write
from tests.kit.certificates import Authority

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
GOLDEN = ROOT / "tests/golden/invalid"
ROUTE = "routes: [{{name: {0}, backend: 'http://{0}'}}]"


def test_a_folder_means_what_its_files_mean_together(tmp_path: Path) -> None:
    write(tmp_path, a=ROUTE.format("a"), b=ROUTE.format("b"))
    together = load(
        "routes:\n- {name: a, backend: 'http://a'}\n- {name: b, backend: 'http://b'}",
        file="one",
        environment={},
    )
    assert config_of(tmp_path) == together
    gateway = resolve(config_of(tmp_path))
    assert [route.name for route in gateway.routes] == ["a", "b"]


def test_every_problem_names_its_own_file_and_line(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="""
            llm:
              providers: {p: {type: openai}}
              models: {m: q/x}
            routes:
            - {name: r, backend: 'http://r'}
            """,
        b="""
            routes:
            - {name: s, backnd: 'http://r'}
            - {name: r, backend: 'http://r', gateways: [none]}
            """,
        c="llm: {providers: {p: {type: vllm, url: 'http://v', key: '${NO}'}}}",
        d="{",
    )
    loaded = load_sources(tmp_path, {})
    assert loaded.config is None
    found = said(loaded, tmp_path)
    assert found[-1].startswith("d.yaml:2: not YAML")
    assert found[:-1] == [
        "b.yaml:3: routes.0.backnd: unknown key 'backnd' (did you mean 'backend'?)",
        "c.yaml:1: llm.providers.p: also written in a.yaml:3, and not the same (keep one of them)",
        "c.yaml:1: llm.providers.p.key: the environment variable NO is not set"
        " (set it, or write a default: ${NO:-default})",
    ]
    (tmp_path / "d.yaml").write_text("admin: {}")
    write(tmp_path, c="admin: {}", d="admin: {}")
    assert said(load_sources(tmp_path, {}), tmp_path) == [
        "a.yaml:4: llm.models.m: no provider 'q' (known: p)",
        "b.yaml:3: routes.0.backnd: unknown key 'backnd' (did you mean 'backend'?)",
        "b.yaml:4: routes.1.gateways.0: no gateway 'none' (known: default)",
        "b.yaml:4: routes.1.name: the name 'r' is taken",
    ]


def test_a_file_that_cannot_be_read_does_not_hide_what_is_wrong_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, a="routs: []\ninclude:\n- none.yaml\n")
    assert said(load_sources(tmp_path / "a.yaml", {}), tmp_path) == [
        "a.yaml:1: routs: unknown key 'routs' (did you mean 'routes'?)",
        "a.yaml:3: include.0: 'none.yaml' cannot be read: no such file or directory",
    ]


def test_texts_are_as_they_were_read_and_digests_are_of_what_is_named(tmp_path: Path) -> None:
    text = "llm: {providers: {p: {type: openai, key: '${KEY}'}}, price_files: [p.json]}"
    write(tmp_path, a=text)
    (tmp_path / "p.json").write_text('{"p/x": {"input": 1, "output": 2}}')
    loaded = load_sources(tmp_path / "a.yaml", {"KEY": "sk-hunter2"})
    assert loaded.texts == {str(tmp_path / "a.yaml"): text}
    assert list(loaded.referenced) == [str(tmp_path / "p.json")]
    assert "hunter2" not in repr(loaded)
    assert set(loaded.watched) == {tmp_path / "a.yaml", tmp_path / "p.json"}


def test_what_was_looked_for_is_watched_also_when_loading_failed(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="include: [none.yaml, 'x/*.yaml']\ngateways: {d: {port: 1, tls: "
        "{cert: c.pem, key: k.pem}}}",
    )
    loaded = load_sources(tmp_path / "a.yaml", {})
    assert loaded.config is None
    names = {str(path.relative_to(tmp_path)) for path in loaded.watched}
    assert names == {"a.yaml", "none.yaml", "x", "c.pem", "k.pem"}
    assert set(load_sources(tmp_path / "gone", {}).watched) == {tmp_path / "gone"}


def test_a_glob_without_files_is_a_warning_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, a="admin: {}\ninclude:\n- 'x/*.yaml'\n")
    found = warnings(config_of(tmp_path / "a.yaml"))
    assert found == (Problem("include.0", "no file matches", 3, str(tmp_path / "a.yaml")),)


def test_a_file_that_only_includes_nothing_configures_nothing(tmp_path: Path) -> None:
    write(tmp_path, a="include: ['x/*.yaml']")
    (problem,) = load_sources(tmp_path / "a.yaml", {}).problems
    assert problem.message == "configures nothing"


def test_prices_come_from_files_and_do_not_contradict(tmp_path: Path) -> None:
    write(
        tmp_path,
        a="llm: {price_files: [p.json], prices: {b: {input: 3, output: 4}}}",
        p="x",
    )
    (tmp_path / "p.json").write_text('{"a": {"input": 1.5, "output": 2}, \n "b": {"input": 9}}')
    assert said(load_sources(tmp_path / "a.yaml", {}), tmp_path) == [
        "p.json:2: llm.prices.b: also written in a.yaml:1, and not the same (keep one of them)"
    ]
    (tmp_path / "p.json").write_text('{"a": {"input": 1.5, "output": 2}}')
    prices = dict(resolve(config_of(tmp_path / "a.yaml")).prices)
    assert prices["a"].input == 1_500_000_000
    assert prices["b"].input == 3_000_000_000
    (tmp_path / "p.json").write_text('{"a": {"inputt": 1.5, "output": 2}}')
    assert said(load_sources(tmp_path / "a.yaml", {}), tmp_path) == [
        "p.json:1: llm.prices.a.inputt: unknown key 'inputt' (did you mean 'input'?)",
    ]


def test_a_copy_of_the_catalog_is_a_file_of_prices(tmp_path: Path) -> None:
    shipped = Path(gateway.catalog.__file__).with_name("catalog.json").read_text("utf-8")
    write(tmp_path, a="llm: {price_files: [p.json]}")
    (tmp_path / "p.json").write_text(shipped)
    assert dict(resolve(config_of(tmp_path / "a.yaml")).prices) == dict(catalog())
    (tmp_path / "p.json").write_text('{"as_of": {}, "prices": {\n"a": {"inputt": 1}}}')
    assert said(load_sources(tmp_path / "a.yaml", {}), tmp_path) == [
        "p.json:2: llm.prices.a.inputt: unknown key 'inputt' (did you mean 'input'?)",
    ]


def test_files_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    authority = Authority()
    cert, key = authority.server()
    write(
        tmp_path,
        a="include: [x/b.yaml]",
        x__b="gateways: {d: {port: 1, tls: {cert: c.pem, key: sub/k.pem, client_ca: '${CA}'}}}",
    )
    (tmp_path / "x/sub").mkdir()
    (tmp_path / "x/c.pem").write_text(cert)
    (tmp_path / "x/sub/k.pem").write_text(key)
    (tmp_path / "ca.pem").write_text(authority.pem)
    (listener,) = resolve(config_of(tmp_path / "a.yaml", CA=str(tmp_path / "ca.pem"))).listeners
    assert listener.tls is not None
    assert (listener.tls.certificate, listener.tls.key) == (cert, key)
    assert listener.tls.client_ca == authority.pem


def test_a_file_that_is_named_and_not_there_is_a_problem_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, a="gateways:\n  d:\n    port: 1\n    tls:\n      cert: c\n      key: k\n")
    (tmp_path / "k").write_bytes(b"\xff")
    assert said(load_sources(tmp_path / "a.yaml", {}), tmp_path) == [
        "a.yaml:5: gateways.d.tls.cert: 'c' cannot be read: no such file or directory",
        "a.yaml:6: gateways.d.tls.key: 'k' not utf-8: byte 0 is invalid",
    ]


def test_a_text_that_came_alone_reads_no_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    text = (
        f"include: ['{tmp_path}/*.yaml', {tmp_path}/b.yaml]\n"
        f"llm: {{price_files: [{tmp_path}/secret]}}\n"
        f"gateways: {{d: {{port: 1, tls: {{cert: {tmp_path}/secret, key: {tmp_path}/secret}}}}}}\n"
    )
    found = load(text, file="sent", environment={})
    assert isinstance(found, tuple)
    assert len(found) == 5
    assert all("came without them" in str(each) for each in found)


def test_what_is_remembered_loads_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, a="include: ['x/*.yaml']", x__one=ROUTE.format("one"))
    before = load_sources(tmp_path / "a.yaml", {})
    write(tmp_path, a="admin: {}", x__one=ROUTE.format("changed"), x__two=ROUTE.format("two"))
    loader = Loader(tmp_path / "a.yaml", {})
    again = loader.load(Remembered(before.texts, Disk()))
    assert again.config == before.config
    assert again.texts == before.texts
    assert loader.load().config != before.config


def test_only_files_that_changed_are_parsed_again(tmp_path: Path) -> None:
    write(tmp_path, a=ROUTE.format("a"), b=ROUTE.format("b"))
    loader = Loader(tmp_path, {})
    loader.load()
    before = loader.documents
    write(tmp_path, b=ROUTE.format("c"))
    config = loader.load().config
    assert config is not None
    assert [route.name for route in config.routes] == ["a", "c"]
    (kept,) = before.keys() & loader.documents.keys()
    assert loader.documents[kept] is before[kept]
    assert len(loader.documents) == 2  # what is gone is forgotten


def test_a_change_while_files_are_read_is_not_read_by_halves(tmp_path: Path) -> None:
    write(tmp_path, a=ROUTE.format("old-a"), b=ROUTE.format("old-b"))

    class Swapping(Disk):
        """Both files are swapped after the first of them was read."""

        is_swapped = False

        def read_bytes(self, path: Path) -> bytes:
            found = super().read_bytes(path)
            if not self.is_swapped:
                self.is_swapped = True
                write(tmp_path, a=ROUTE.format("new-a"), b=ROUTE.format("new-b"))
            return found

    config = load_sources(tmp_path, {}, files=Swapping()).config
    assert config is not None
    assert [route.name for route in config.routes] == ["new-a", "new-b"]


def test_files_that_never_rest_are_read_in_the_end(tmp_path: Path) -> None:
    write(tmp_path, a=ROUTE.format("a"))

    class Restless(Disk):
        """Somebody writes whenever somebody reads."""

        def read_bytes(self, path: Path) -> bytes:
            found = super().read_bytes(path)
            path.write_bytes(found + b"\n")
            return found

    assert load_sources(tmp_path, {}, files=Restless()).config is not None


THEIRS = "binds:\n- port: 3000\n"


def convert(text: str, file: str) -> Imported | tuple[Problem, ...] | None:
    """A gateway whose files begin with `binds`."""
    if not text.startswith("binds"):
        return None
    if "broken" in text:
        return (Problem("binds", "is broken", 1, file),)
    port = text.split()[-1]
    mappings = (Mapped("binds.0.port", 2, Outcome.EXACT, to="gateways.bind.port"),)
    return Imported("theirs", f"gateways:\n\n\n  bind:\n    port: {port}\n", mappings)


def test_somebody_elses_file_is_loaded_as_ours(tmp_path: Path) -> None:
    write(tmp_path, a=THEIRS)
    loaded = load_sources(tmp_path / "a.yaml", {}, convert=convert)
    assert loaded.config is not None
    assert loaded.config.gateways["bind"].port == 3000
    assert loaded.imported is not None
    assert loaded.imported.dialect == "theirs"
    assert loaded.texts == {str(tmp_path / "a.yaml"): THEIRS}
    assert load_sources(tmp_path / "a.yaml", {}).config is None


def test_what_is_wrong_with_somebody_elses_file_is_at_its_own_lines(tmp_path: Path) -> None:
    write(tmp_path, a="binds:\n- port: 99999\n", b="binds: broken")
    assert said(load_sources(tmp_path / "a.yaml", {}, convert=convert), tmp_path) == [
        "a.yaml:2: gateways.bind.port: must be from 1 to 65535, not '99999'"
    ]
    assert said(load_sources(tmp_path / "b.yaml", {}, convert=convert), tmp_path) == [
        "b.yaml:1: binds: is broken"
    ]


def test_what_is_ours_is_not_converted(tmp_path: Path) -> None:
    def never(text: str, file: str) -> None:
        raise AssertionError("asked about a file that is ours")

    write(tmp_path, a="admin: {}", b="admn: {}")
    assert load_sources(tmp_path / "a.yaml", {}, convert=never).config is not None
    (problem,) = load_sources(tmp_path / "b.yaml", {}, convert=convert).problems
    assert problem.path == "admn"


def test_a_text_can_be_tried_in_the_place_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, a="admin: {}", b=ROUTE.format("b"))
    loaded = Loader(tmp_path / "a.yaml", {}).load_text("include: [b.yaml]")
    assert loaded.config is not None
    assert [route.name for route in loaded.config.routes] == ["b"]
    refused = Loader(tmp_path / "a.yaml", {}, files=Nowhere()).load_text("include: [b.yaml]")
    assert refused.config is None


def test_every_problem_of_several_files_is_reported_at_once() -> None:
    folder = GOLDEN / "several"
    report = "".join(f"{each}\n" for each in said(load_sources(folder, {}), folder.parent))
    golden = GOLDEN / "several.problems.txt"
    if os.environ.get("REWRITE"):
        golden.write_text(report, "utf-8")
    assert report == golden.read_text("utf-8")


def test_the_example_of_a_folder_is_the_same_by_its_file() -> None:
    folder = EXAMPLES / "folder"
    assert config_of(folder) == config_of(folder / "gateway.yaml")
    assert set(config_of(folder).llm.models) == {"blue", "red"}


def test_the_example_of_tls_loads_with_files_like_those_it_tells_how_to_make(
    tmp_path: Path,
) -> None:
    cert, key = Authority().server()
    for name, text in {"server.pem": cert, "server.key": key, "clients-ca.pem": cert}.items():
        (tmp_path / name).write_text(text)
    path = tmp_path / "gateway.yaml"
    path.write_text((EXAMPLES / "tls/gateway.yaml").read_text())
    assert config_of(path).xds.clients[0].name == "envoys"
