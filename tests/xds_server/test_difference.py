"""Two configurations become one difference: complete, in order, without secrets."""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.config.load import load
from gateway.config.published import published
from gateway.config.schema import Config
from gateway.names import login_cookie_secret
from gateway.resolve import resolve
from tests.kit.gateways import CASES, gateway_of, golden_gateway
from tests.kit.golden import GOLDEN
from xds_server.compile import compile_gateway
from xds_server.difference import (
    Difference,
    State,
    UnreadableState,
    difference,
    fields_together,
    state,
    state_from_json,
    state_json,
    to_document,
    together,
    topology_of,
)
from xds_server.field_changes import Element, Field, FieldChange, Kind
from xds_server.redaction import Hide, plainly, traceably
from xds_server.render import to_json
from xds_server.resources.topology import Topology
from xds_server.snapshot import (
    CLUSTER,
    LISTENER,
    ROUTES,
    SECRET,
    TYPES,
    all_resources,
    resource_of,
    snapshot_of,
)

TOPOLOGY = Topology(workers=("unix:/run/dragoman/0.sock", "10.0.0.1:18001"))
PAIRS = sorted(path.name.removesuffix(".old.yaml") for path in (GOLDEN / "diff").glob("*.old.yaml"))


def compiled(text: str, hide: Hide = traceably) -> State:
    config = load(text, file="test.yaml", environment={})
    assert isinstance(config, Config)
    snapshot = compile_gateway(resolve(config), TOPOLOGY)
    return state("v", "w", published(config), snapshot, hide)


def side(pair: str, which: str) -> str:
    return (GOLDEN / "diff" / f"{pair}.{which}.yaml").read_text("utf-8")


def between(pair: str, hide: Hide = traceably) -> Difference:
    return difference(compiled(side(pair, "old"), hide), compiled(side(pair, "new"), hide))


@pytest.mark.parametrize("case", CASES)
def test_nothing_differs_from_itself(case: str) -> None:
    text = (GOLDEN / f"{case}.yaml").read_text("utf-8")
    assert difference(compiled(text), compiled(text)).is_empty


@pytest.mark.parametrize("pair", PAIRS)
def test_the_way_back_names_the_same_fields(pair: str) -> None:
    there = between(pair)
    back = difference(compiled(side(pair, "new")), compiled(side(pair, "old")))
    opposite = {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED}

    def resources(found: Difference, *, is_back: bool) -> set[tuple[Kind, str, str]]:
        return {
            (
                opposite.get(one.change.kind, one.change.kind) if is_back else one.change.kind,
                one.change.type_url,
                one.change.name,
            )
            for one in found.resources
        }

    assert resources(there, is_back=False) == resources(back, is_back=True)
    assert there.is_empty == back.is_empty


@pytest.mark.parametrize("pair", PAIRS)
def test_resources_come_in_sending_order(pair: str) -> None:
    places = [TYPES.index(each.change.type_url) for each in between(pair).resources]
    assert places == sorted(places)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_running_state_differs_as_its_file_does(pair: str) -> None:
    """Over the admin API, secrets are known by their versions alone."""

    def told(text: str) -> State:
        config = load(text, file="test.yaml", environment={})
        assert isinstance(config, Config)
        snapshot = compile_gateway(resolve(config), TOPOLOGY)
        told = state_json("v", "w", published(config), snapshot)
        return state_from_json(json.loads(json.dumps(told)))

    over = difference(told(side(pair, "old")), compiled(side(pair, "new"), plainly))
    here = between(pair)
    names = [(each.change.kind, each.change.type_url, each.change.name) for each in here.resources]
    assert names == [
        (one.change.kind, one.change.type_url, one.change.name) for one in over.resources
    ]
    assert over.drains == here.drains


def test_secrets_are_never_shown() -> None:
    for pair in PAIRS:
        text = json.dumps(to_document(between(pair), 1))
        for secret in ("key-of-b", "new-key-of-b", "secret-of-ann", "another-of-ann"):
            assert secret not in text
    config = load(side("providers", "old"), file="x", environment={})
    assert isinstance(config, Config)
    snapshot = compile_gateway(resolve(config), TOPOLOGY)
    assert "key-of-b" not in json.dumps(state_json("v", "w", published(config), snapshot))


def test_a_secret_that_changed_is_said_once_and_redacted() -> None:
    (found,) = (one for one in between("providers").resources if one.change.name == "llm/b/key")
    ((field,),) = (found.change.fields,)
    assert (field.old, field.new) == ("[redacted]", "[redacted]")
    assert field.path == "generic_secret.secret.inline_string"


def test_a_topology_is_found_again_in_what_was_compiled_with_it() -> None:
    topology = Topology(TOPOLOGY.workers, 3.5, "/certs/ca.pem")
    snapshot = compile_gateway(golden_gateway("tls-provider"), topology)
    assert topology_of(state("v", "w", "{}", snapshot)) == topology


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"version": "v", "workers_version": "w", "published": "a: [", "resources": []},
        {"version": "v", "workers_version": "w", "published": "", "resources": [{}]},
        {"version": "v", "workers_version": "w", "published": "", "resources": "x"},
        {"version": "v", "published": "", "resources": []},
    ],
)
def test_what_is_no_state_is_refused(document: object) -> None:
    with pytest.raises(UnreadableState):
        state_from_json(document)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every leaf that can be given another value of its type."""
    match value:
        case dict():
            for key, item in value.items():
                if key != "@type":
                    yield from leaves(item, (*path, key))
        case list():
            for place, item in enumerate(value):
                yield from leaves(item, (*path, place))
        case str() | int():
            yield path


def mutated(body: dict[str, Any], place: tuple[Any, ...]) -> dict[str, Any]:
    new = copy.deepcopy(body)
    holder: Any = new
    for step in place[:-1]:
        holder = holder[step]
    old = holder[place[-1]]
    is_number = isinstance(old, int) and not isinstance(old, bool)
    holder[place[-1]] = (not old) if isinstance(old, bool) else old + 1 if is_number else f"{old}0"
    return new


@pytest.mark.parametrize("case", CASES)
def test_every_changed_leaf_of_a_resource_is_reported_once(case: str) -> None:
    """Whichever leaf is changed: it is in exactly one change, or its element is named anew."""
    chance = random.Random(case)
    snapshot = compile_gateway(golden_gateway(case), TOPOLOGY)
    plain = state("v", "w", "{}", snapshot, traceably)
    for index, shown in enumerate(plain.resources):
        places = list(leaves(shown.body))
        for place in chance.sample(places, min(12, len(places))):
            if place == ("name",):
                continue
            body = mutated(shown.body, place)
            others = list(plain.resources)
            others[index] = dataclasses.replace(shown, version="other", body=body)
            (found,) = difference(
                plain, dataclasses.replace(plain, resources=tuple(others))
            ).resources
            changes = found.change.fields
            kinds = [each.kind for each in changes]
            if kinds == [Kind.CHANGED]:
                (change,) = changes
                holder: Any = shown.body
                for step in place:
                    holder = holder[step]
                assert change.old == holder
                assert change.path.endswith((str(place[-1]), "]"))
            else:  # the leaf is what its element is known by
                assert sorted(kinds) == [Kind.ADDED, Kind.REMOVED]


def test_a_version_alone_is_a_change() -> None:
    plain = state("v", "w", "{}", compile_gateway(golden_gateway("budgets"), TOPOLOGY))
    first, *rest = plain.resources
    other = dataclasses.replace(first, version="other")
    (found,) = difference(plain, dataclasses.replace(plain, resources=(other, *rest))).resources
    assert [each.new for each in found.change.fields] == ["[redacted]"]


def test_resources_that_operators_wrote_are_compared_as_well() -> None:
    def one(body: bytes) -> State:
        return state("v", "w", "{}", snapshot_of([resource_of("mine", CLUSTER, body)]))

    snapshot = compile_gateway(golden_gateway("budgets"), TOPOLOGY)
    (name, *_) = snapshot.resources[CLUSTER]
    body = snapshot.resources[CLUSTER][name].body
    assert difference(one(body), one(body)).is_empty
    (found,) = difference(one(body), one(b"")).resources
    assert found.change.kind is Kind.CHANGED


def test_a_difference_of_thousands_of_routes_is_found_within_seconds() -> None:
    many = "".join(
        f"  - {{name: r{n}, match: {{path: {{prefix: /r{n}}}}}, backend: 'http://127.0.0.1:9'}}\n"
        for n in range(2000)
    )
    head = "gateways: {default: {port: 8080}}\nroutes:\n"
    first = "  - {name: first, match: {path: {prefix: /f}}, backend: 'http://127.0.0.1:9'}\n"
    found = difference(compiled(head + many), compiled(head + first + many))
    assert [each.change.path for each in found.policies] == ["routes[name=first]"]
    (judged,) = (one for one in found.resources if one.change.type_url != LISTENER)
    assert len(judged.change.fields) == 1


def test_every_resource_of_a_snapshot_is_in_its_state() -> None:
    snapshot = compile_gateway(golden_gateway("routes-plain"), TOPOLOGY)
    made = state("v", "w", "{}", snapshot, plainly)
    assert [each.name for each in made.resources] == [each.name for each in all_resources(snapshot)]
    assert [each.body for each in made.resources if each.type_url == LISTENER] == [
        to_json(each) for each in snapshot.resources[LISTENER].values()
    ]


def test_what_is_told_together_is_equal_but_for_names() -> None:
    for pair in PAIRS:
        found = between(pair)
        groups = together(found.resources)
        told = [each for group in groups for each in group]
        assert sorted(map(id, told)) == sorted(map(id, found.resources))
        for first, *rest in groups:
            for other in rest:
                assert other.change.type_url == first.change.type_url
                assert (other.change.kind, other.effect) == (first.change.kind, first.effect)
                paths = [each.path for each in other.change.fields]
                assert paths == [each.path for each in first.change.fields]


def test_fields_of_routes_are_told_together_when_they_change_alike() -> None:
    found = between("budget-added")
    (table,) = (each.change for each in found.resources if each.change.type_url == ROUTES)
    groups = fields_together(table.fields)
    assert sum(map(len, groups)) == len(table.fields)
    assert len(groups) < len(table.fields)
    for first, *rest in groups:
        for other in rest:
            assert (other.kind, other.old, other.new) == (first.kind, first.old, first.new)
            assert other.path != first.path
            assert other.path.rpartition("]")[2] == first.path.rpartition("]")[2]


def test_whole_routes_are_not_taken_for_each_other() -> None:
    steps = (Field("routes"), Element("name=a", None, 0))
    others = (Field("routes"), Element("name=b", None, 1))
    same = {"match": {"prefix": "/"}}
    changes = [FieldChange(Kind.ADDED, each, new=same) for each in (steps, others)]
    assert [len(each) for each in fields_together(changes)] == [1, 1]


def test_a_document_names_all_that_change_alike() -> None:
    document = to_document(between("providers"), 1)
    (found,) = (each for each in document["resources"] if each["name"] == "llm/c")
    assert found["also"] == ["llm/c/addressed", "llm/c/websocket"]
    budget = to_document(between("budget-added"), 1)
    (table,) = (each for each in budget["resources"] if each["type_url"] == ROUTES)
    assert any(
        "dragoman/llm/gemini#3" in path for each in table["fields"] for path in each.get("also", ())
    )


def test_what_each_machine_makes_for_itself_differs_from_none_and_what_is_written_does() -> None:
    text = (GOLDEN / "logins.yaml").read_text()
    gateway = gateway_of(text)
    one, other = (
        compile_gateway(gateway, dataclasses.replace(TOPOLOGY, seed=seed)) for seed in ("a", "b")
    )
    name = login_cookie_secret("staff")
    assert one.of(SECRET)[name].version != other.of(SECRET)[name].version
    assert difference(state("1", "1", text, one), state("1", "1", text, other)).is_empty
    written = text.replace(
        "      idle: 1h", f"      idle: 1h\n      cookies: {{secret: {'s' * 40}}}"
    )
    given = compile_gateway(gateway_of(written), dataclasses.replace(TOPOLOGY, seed="a"))
    found = difference(state("1", "1", text, one), state("1", "1", text, given))
    assert [each.change.name for each in found.resources] == [name]
