"""A document is tools, the same in each edition, or every problem at once, with its line."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.openapi.load import load_api
from gateway.openapi.reading import read as read_tree
from gateway.openapi.values import Api, Selection, Terms
from gateway.problem import Problem
from tests.kit.openapi_documents import SHOP_2, SHOP_30, SHOP_31, document, problems, read

EDITIONS = pytest.mark.parametrize("text", [SHOP_2, SHOP_30, SHOP_31], ids=["2", "3.0", "3.1"])


@EDITIONS
def test_every_edition_is_the_same_tools(text: str) -> None:
    api = read(text)
    assert (api.title, api.version, api.url) == ("Shop", "1.2.0", "https://eu.shop.example:8443")
    assert [(each.name, each.method, each.path) for each in api.operations] == [
        ("listThings", "GET", "/things"),
        ("addThing", "POST", "/things"),
        ("get_things_by_id", "GET", "/things/{id}"),
        ("things_remove", "DELETE", "/things/{id}"),
    ]
    assert {each.base_path for each in api.operations} == {"/v1"}


@EDITIONS
def test_every_edition_has_the_same_arguments(text: str) -> None:
    listing, adding, getting, _ = read(text).operations
    schema = json.loads(listing.input_schema)
    assert list(schema["properties"]) == ["trace", "color", "limit"]
    limit = schema["properties"]["limit"]
    assert limit in (
        {"type": "integer", "minimum": 1, "default": 20},
        {"type": "integer", "exclusiveMinimum": 0, "default": 20},
    )
    added = json.loads(adding.input_schema)
    assert "id" not in added["properties"]  # it is read only
    assert added["properties"]["note"]["type"] == ["string", "null"]
    assert added["required"] == ["name"]
    assert added["properties"]["parts"]["items"] == {"$ref": "#/$defs/Thing"}
    assert json.loads(getting.input_schema) == {
        "type": "object",
        "properties": {"id": {"type": "integer"}},
        "required": ["id"],
        "additionalProperties": False,
    }


@EDITIONS
def test_every_edition_has_the_same_answers(text: str) -> None:
    listing, adding, _, removing = read(text).operations
    assert listing.is_wrapped
    assert json.loads(listing.output_schema)["required"] == ["result"]
    output = json.loads(adding.output_schema)
    assert output["type"] == "object"
    assert output["$ref"] == "#/$defs/Thing"
    assert "secret" not in output["$defs"]["Thing"]["properties"]  # it is write only
    assert removing.output_schema == ""


@EDITIONS
def test_json_is_read_as_yaml_is(text: str) -> None:
    assert read(json.dumps(read_tree(text))) == read(text)


def test_words_of_the_document_reach_the_model() -> None:
    listing, _, getting, removing = read(SHOP_31).operations
    assert (listing.title, listing.description) == ("All things", "All things")
    assert getting.description == "GET /things/{id}"
    assert removing.description == "Deprecated."


def test_what_is_chosen_is_a_tool() -> None:
    def chosen(**terms: tuple[Selection, ...]) -> list[str]:
        return [each.name for each in read(SHOP_31, Terms(**terms)).operations]

    assert chosen(include=(Selection(methods=("get",)),)) == ["listThings", "get_things_by_id"]
    assert chosen(exclude=(Selection(tags=("adm*",)),))[-1] == "get_things_by_id"
    assert chosen(include=(Selection(names=("*Thing",)), Selection(paths=("*}",)))) == [
        "addThing",
        "get_things_by_id",
        "things_remove",
    ]
    both = Selection(methods=("GET",), paths=("/things",))
    assert chosen(include=(both,)) == ["listThings"]


def test_tools_are_renamed() -> None:
    names = (("listThings", "list"), ("GET /things/{id}", "look"))
    found = read(SHOP_31, Terms(names=names)).operations
    assert [each.name for each in found] == ["list", "addThing", "look", "things_remove"]


def test_the_base_path_can_be_another() -> None:
    assert read(SHOP_31, Terms(base_path="/")).operations[0].base_path == ""
    assert read(SHOP_31, Terms(base_path="/v9/")).operations[0].base_path == "/v9"


def test_output_schemas_can_be_left_out() -> None:
    found = read(SHOP_31, Terms(has_output_schemas=False)).operations
    assert {(each.output_schema, each.is_wrapped) for each in found} == {("", False)}


def test_every_problem_is_reported_at_once_with_its_line() -> None:
    text = (
        SHOP_31.replace(
            "'#/components/schemas/Thing'}}}\n      responses", "'other.yaml'}}}\n      responses"
        )
        .replace("{name: limit, in: query,", "{name: limit, in: nowhere,")
        .replace("writeOnly: true", "type: strin")
    ).replace("secret: {type: string, type: strin}", "secret: {type: strin}")
    assert problems(text, file="shop.yaml") == [
        "shop.yaml:17: #/paths/~1things/get/parameters/1/in: 'limit' is in 'nowhere', which is not"
        " supported (one of path, query, header, cookie)",
        "shop.yaml:61: #/components/schemas/Thing/properties/secret/type: no type 'strin' is known"
        " to JSON Schema",
        "shop.yaml:30: #/paths/~1things/post/requestBody/content/application~1json/schema: the"
        " reference 'other.yaml' leads out of the document (put all into one file, with a bundler)",
    ]


def test_what_is_not_chosen_is_no_problem() -> None:
    text = SHOP_31.replace("in: path", "in: nowhere")
    assert problems(text) != []
    assert len(read(text, Terms(include=(Selection(paths=("/things",)),))).operations) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "an OpenAPI document is an object"),
        ("openapi: 4.0.0", "version '4.0.0' is not known; known: 2.0, 3.0, 3.1, 3.2"),
        ("swagger: '1.2'", "version '1.2' is not known; known: 2.0, 3.0, 3.1, 3.2"),
        ("info: {}", "it says neither 'openapi' nor 'swagger', so it is no OpenAPI document"),
        ("a: [", "neither JSON nor YAML: did not find expected node content"),
        ("openapi: 3.1.0", "no operation is left"),
        ("openapi: 3.1.0\npaths: 3", "must be an object"),
        ("openapi: 3.1.0\npaths: {/a: 3}", "must be an object"),
        ("openapi: 3.1.0\npaths: {/a: {get: 3}}", "an operation must be an object"),
        ("openapi: 3.1.0\npaths: {a: {get: {}}}", "the path 'a' begins with no slash"),
    ],
)
def test_no_document_is_a_problem(text: str, said: str) -> None:
    assert said in problems(text)[0]


def test_words_of_the_operator_that_mean_nothing_are_problems() -> None:
    terms = Terms(
        include=(Selection(names=("listThing",)), Selection()),
        names=(("addThings", "add"), ("listThings", "no name")),
    )
    found = "\n".join(problems(SHOP_31, terms))
    assert (
        "include (names: listThing) means no operation of the document (did you mean 'listThings'?)"
        in found
    )
    assert "names: no operation 'addThings' (did you mean 'addThing'?)" in found
    assert "the name 'no name' of 'listThings' is no tool's" in found
    same = Terms(names=(("addThing", "a"), ("listThings", "a")))
    assert "given to two operations" in problems(SHOP_31, same)[0]


def test_operations_with_one_name_are_told_apart() -> None:
    text = SHOP_31.replace("things/remove", "listThings")
    assert [each.name for each in read(text).operations][-1] == "listThings_2"


def test_methods_of_edition_32_are_read() -> None:
    more = {"additionalOperations": {"LINK": {"operationId": "link"}}}
    whole = json.loads(document("/x", "query", {"operationId": "ask"}))
    whole["openapi"] = "3.2.0"
    whole["paths"]["/x"] |= more
    found = read(json.dumps(whole)).operations
    assert [(each.name, each.method) for each in found] == [("ask", "QUERY"), ("link", "LINK")]


JUNK = st.sampled_from(
    [
        *(None, True, 3, -1.5, "x", "", "#/paths", "#/nope", "no.yaml", [], {}, [1], ["a"], [{}]),
        *({"a": 1}, {"$ref": 3}, {"$ref": "#/"}, {"type": {"a": 1}}, {"type": ["object", 3]}),
        *({"enum": 3}, [[]], {"properties": []}, {"$ref": "#/paths"}, {"allOf": [True, False]}),
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_stands_in_a_document_it_is_tools_or_problems(data: st.DataObject) -> None:
    tree = copy.deepcopy(read_tree(data.draw(st.sampled_from([SHOP_2, SHOP_30, SHOP_31]))))
    for _ in range(data.draw(st.integers(1, 4))):
        node, places = tree, []
        while isinstance(node, dict | list) and node:
            keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
            places.append((node, data.draw(st.sampled_from(keys))))
            node = node[places[-1][1]]
        inner, key = data.draw(st.sampled_from(places))
        inner[key] = copy.deepcopy(data.draw(JUNK))
    found = load_api(json.dumps(tree))
    if isinstance(found, Api):
        assert found.operations
    else:
        assert found
        assert all(isinstance(each, Problem) for each in found)
