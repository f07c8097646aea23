from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis import DEFAULT_PREFIXES, ROWS, WRONG_METHOD, Family, Found, Paths, Row, uploads
from gateway.operations import Operation

DEFAULT = Paths(DEFAULT_PREFIXES)
EVERYTHING = {
    **DEFAULT_PREFIXES,
    Family.AZURE: ("/openai", "/azure/of/ours"),
    Family.ANTHROPIC: ("/v1", "/anthropic/v1"),
    Family.VERTEX: ("/v1", "/vertex"),
}
ALL = Paths(EVERYTHING)
SHARED = ((Operation.MESSAGE_FILES, "/v1"), (Operation.GEMINI_FILES, "/v1"))
"""OpenAI's, too: a header tells whose."""
PLACED = [
    (row, prefix)
    for row in ROWS
    for prefix in EVERYTHING[row.family]
    if (row.operation, prefix) not in SHARED and row.publisher != "mistralai"
]
METHODS = ("DELETE", "GET", "POST", "PUT", "PATCH", "HEAD", "OPTIONS")
SEGMENT = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=12)
MODELS = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("line", "operation", "family", "model", "is_stream"),
    [
        ("POST /v1/chat/completions", Operation.CHAT, Family.OPENAI, "", False),
        ("POST /v1/chat/completions?a=b", Operation.CHAT, Family.OPENAI, "", False),
        ("POST /v1/messages?beta=true", Operation.MESSAGES, Family.ANTHROPIC, "", False),
        ("POST /v1/messages/count_tokens", Operation.MESSAGE_TOKENS, Family.ANTHROPIC, "", False),
        ("GET /v1/messages/batches", Operation.MESSAGE_BATCHES, Family.ANTHROPIC, "", False),
        ("GET /v1/messages/batches/b/results", Operation.MESSAGE_BATCHES, Family.ANTHROPIC, "", 0),
        ("GET /v1/files/f/content", Operation.FILES, Family.OPENAI, "", False),
        ("GET /v1/realtime?model=m", Operation.REALTIME, Family.OPENAI, "", False),
        ("POST /v1/responses/input_tokens", Operation.RESPONSE_TOKENS, Family.OPENAI, "", False),
        ("POST /v1/responses/r/cancel", Operation.RESPONSE, Family.OPENAI, "", False),
        ("DELETE /v1/files/f", Operation.FILES, Family.OPENAI, "", False),
        ("POST /v2/rerank", Operation.RERANK, Family.COHERE, "", False),
        ("POST /v1beta/models/g:generateContent", Operation.GENERATE, Family.GEMINI, "g", False),
        ("POST /v1/models/g:generateContent", Operation.GENERATE, Family.GEMINI, "g", False),
        (
            "POST /v1beta/models/g-2:streamGenerateContent?alt=sse",
            Operation.GENERATE_STREAM,
            Family.GEMINI,
            "g-2",
            True,
        ),
        (
            "POST /v1/projects/p/locations/l/publishers/google/models/g:generateContent",
            Operation.GENERATE,
            Family.GEMINI,
            "g",
            False,
        ),
        (
            "POST /v1beta1/publishers/google/models/g:countTokens",
            Operation.COUNT_TOKENS,
            Family.GEMINI,
            "g",
            False,
        ),
        ("POST /model/a.b-v1%3A0/converse", Operation.CONVERSE, Family.BEDROCK, "a.b-v1:0", False),
        ("POST /model/a:0/invoke", Operation.INVOKE, Family.BEDROCK, "a:0", False),
        ("GET /v1/models", Operation.MODELS, Family.OPENAI, "", False),
        ("GET /v1/models/local/a:b", Operation.MODEL, Family.OPENAI, "local/a:b", False),
        (
            "GET /v1/models/g:generateContent",
            Operation.MODEL,
            Family.OPENAI,
            "g:generateContent",
            0,
        ),
        ("GET /v1beta/files", Operation.GEMINI_FILES, Family.GEMINI, "", False),
        ("GET /v1beta/files/f:download?alt=media", Operation.GEMINI_FILES, Family.GEMINI, "", 0),
        ("PATCH /v1/cachedContents/c", Operation.GEMINI_CACHES, Family.GEMINI, "", False),
        ("GET /v1beta/cachedContents", Operation.GEMINI_CACHES, Family.GEMINI, "", False),
        ("POST /v1beta/cachedContents", Operation.GEMINI_CACHE, Family.GEMINI, "", False),
        ("DELETE /v1beta/files/f", Operation.GEMINI_FILES, Family.GEMINI, "", False),
        ("POST /upload/v1beta/files", Operation.GEMINI_UPLOADS, Family.GEMINI, "", False),
        ("POST /upload/v1/files?upload_id=u", Operation.GEMINI_UPLOADS, Family.GEMINI, "", False),
        ("GET /v1beta/models?pageSize=5", Operation.MODELS, Family.GEMINI, "", False),
        ("GET /v1beta/models/g", Operation.MODEL, Family.GEMINI, "g", False),
    ],
)
def test_what_libraries_ask_for_is_found(
    line: str, operation: Operation, family: Family, model: str, is_stream: bool
) -> None:
    method, _, path = line.partition(" ")
    found = DEFAULT.find(method, path)
    assert isinstance(found, Found)
    assert replace(found, rest="") == Found(operation, family, model, bool(is_stream))


def test_what_follows_an_operation_that_has_all_below_is_told_with_its_query() -> None:
    found = DEFAULT.find("GET", "/v1/files/f-1/content?limit=2")
    assert isinstance(found, Found)
    assert found.rest == "/f-1/content?limit=2"
    assert DEFAULT.find("GET", "/v1/filesystem") is None


def test_what_is_below_a_prefix_is_told_of_unknown_paths() -> None:
    assert DEFAULT.below("/v1/fine_tuning/jobs?after=1") == "/fine_tuning/jobs?after=1"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "*",
        "/v1",
        "/v1/",
        "/v1/chat/completions/",
        "/v1/chat/completionsx",
        "/v1//chat/completions",
        "/V1/chat/completions",
        "/v1/filesystem",
        "/v1/models/",
        "/v1beta2/models/g:generateContent",
        "/v1/projects/p/publishers/google/models/:generateContent",
        "/v1/anything/models/g:generateContent",
        "/v3/projects/p/publishers/google/models/g:generateContent",
        "/x/projects/p/publishers/google/models/g:generateContent",
        "/model/converse",
        "/model//converse",
        "/model/a/converse/b",
        "/openai/deployments/d/chat/completions",
        "/openai/v1/chat/completions",
    ],
)
def test_other_paths_are_not_found(path: str) -> None:
    assert [DEFAULT.find(method, path) for method in METHODS] == [None] * len(METHODS)


@pytest.mark.parametrize(
    ("publisher", "operation"),
    [("anthropic", Operation.MESSAGES), ("mistralai", Operation.CHAT), ("meta", None)],
)
@pytest.mark.parametrize("verb", ["rawPredict", "streamRawPredict"])
def test_what_vertex_is_asked_raw_is_what_the_publisher_takes(
    publisher: str, operation: Operation | None, verb: str
) -> None:
    found = ALL.find("POST", f"/v1/projects/p/locations/l/publishers/{publisher}/models/m:{verb}")
    if operation is None:
        assert not isinstance(found, Found)
    else:
        assert found == Found(operation, Family.VERTEX, "m", verb == "streamRawPredict")
    bare = ALL.find("POST", f"/vertex/models/m:{verb}")
    assert isinstance(bare, Found)
    assert bare.operation is Operation.MESSAGES


def test_azure_is_found_where_it_is_asked_for() -> None:
    found = ALL.find("POST", "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21")
    assert found == Found(Operation.CHAT, Family.AZURE, "my-gpt")
    assert ALL.find("GET", "/openai/files/f?api-version=1") == Found(
        Operation.FILES, Family.AZURE, rest="/f?api-version=1"
    )
    assert ALL.find("GET", "/openai/realtime?deployment=d") == Found(
        Operation.REALTIME, Family.AZURE
    )
    assert ALL.find("POST", "/azure/of/ours/v1/responses") == Found(
        Operation.RESPONSES, Family.AZURE
    )


@pytest.mark.parametrize("family", Family)
def test_a_family_without_prefixes_is_not_served(family: Family) -> None:
    rest = Paths({family: ("/only",)})
    without = Paths({**EVERYTHING, family: ()})
    for row, prefix in PLACED:
        path = row.at(prefix).replace("{model}", "m").replace("/*", "")
        found = without.find(row.methods[0], path)
        assert not isinstance(found, Found) or found.family is not family
        assert rest.find(row.methods[0], path) is None


@given(st.sampled_from(PLACED), MODELS, st.sampled_from(["", "?", "?key=a/b:c"]))
def test_every_row_is_found_at_every_prefix_with_its_model(
    placed: tuple[Row, str], model: str, query: str
) -> None:
    row, prefix = placed
    has_model = "{model}" in row.path
    below = next(each for each in ("/x/y", "/x/cancel") if row.below.fullmatch(each))
    path = row.at(prefix).replace("{model}", quote(model, safe=":")).replace("/*", below)
    for method in METHODS:
        found = ALL.find(method, path + query)
        if method in row.methods:
            assert isinstance(found, Found)
            assert found.operation is row.operation
            assert found.is_stream is row.is_stream
            assert found.model == (model if has_model else "")
        else:
            assert found is not None
            if not isinstance(found, Found):
                assert found is WRONG_METHOD


@given(MODELS, st.sampled_from(["/v1", "/v1beta1"]), st.sampled_from([":generateContent"]))
def test_vertex_names_its_models_after_the_place(model: str, prefix: str, verb: str) -> None:
    name = quote(model, safe=":")
    path = f"{prefix}/projects/p/locations/models/publishers/google/models/{name}{verb}"
    assert DEFAULT.find("POST", path) == Found(Operation.GENERATE, Family.GEMINI, model)


@pytest.mark.parametrize(
    "rest",
    [
        "/../chat/completions",
        "/./a",
        "/%2e%2e/b",
        "//a",
        "/a%2Fb",
        "/a\\..",
        "/..",
        "/a;b",
        "x",
        "/ä",
    ],
)
@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches", "/v1/responses", "/v1/uploads"])
def test_nothing_below_a_path_leads_elsewhere(path: str, rest: str) -> None:
    assert [DEFAULT.find(method, path + rest) for method in METHODS] == [None] * len(METHODS)


@pytest.mark.parametrize(
    "path",
    [
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/./completions",
        "/v1/files/../chat/completions",
        "/v1/x/%2e%2e/chat/completions?a=b",
        "/v1/x/..%2fchat%2fcompletions",
        "/v1/x/%252e%252e/chat/completions",
        "/v1/chat%2Fcompletions",
        "/v1/Chat/Completions",
        "/v1\\chat\\completions",
        "/v1/chat/completions;a=b",
        "/v1/chat/completions%20",
        "/v1/chat/completions#a",
        "//v1beta/models/g:generateContent",
    ],
)
def test_a_known_path_in_disguise_is_seen(path: str) -> None:
    assert DEFAULT.find("POST", path) is None
    assert DEFAULT.is_disguised(path)


@pytest.mark.parametrize("path", ["/v1/assistants", "/v1/threads/t/runs", "/v1/vector_stores?a=b"])
def test_other_unknown_paths_are_none_of_ours(path: str) -> None:
    assert DEFAULT.find("POST", path) is None
    assert not DEFAULT.is_disguised(path)


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/v1beta/cachedContents", Family.GEMINI),
        ("/v1/vector_stores", Family.OPENAI),
        ("/v2/chat", Family.COHERE),
        ("/other", None),
        ("/v1betamax/x", None),
    ],
)
def test_an_unknown_path_is_of_who_has_the_closest_prefix(path: str, family: Family | None) -> None:
    assert DEFAULT.family(path) is family


def test_nothing_is_there_for_another_method() -> None:
    assert DEFAULT.find("GET", "/v1/chat/completions") is WRONG_METHOD
    assert DEFAULT.find("DELETE", "/v1beta/models/g:generateContent") is WRONG_METHOD
    assert DEFAULT.find("POST", "/v1beta/models/:generateContent") is WRONG_METHOD
    assert DEFAULT.find("POST", "/v1beta/models/g:generate") is WRONG_METHOD
    assert DEFAULT.find("HEAD", "/v1/files/f") is WRONG_METHOD
    for path in ("/v1beta/cachedContents/", "/v1beta/cachedContents/c"):  # nor unread
        assert DEFAULT.find("POST", path) is WRONG_METHOD


@given(st.text(max_size=60), st.sampled_from(METHODS))
def test_no_path_is_too_strange(path: str, method: str) -> None:
    assert DEFAULT.find(method, f"/zz{path}") is None


def test_every_path_and_prefix_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "apis.md").read_text("utf-8")
    for row in ROWS:
        if row.family is not Family.AZURE:
            assert f"`{row.path}`" in page
    for family, prefixes in DEFAULT_PREFIXES.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| `{family}` |"))
        assert all(f"`{prefix or '/'}`" in line.split("|")[2] for prefix in prefixes)


@pytest.mark.parametrize(
    "path",
    ["/v1/responses/", "/v1/responses/compact", "/v1/responses/input_tokens/", "/v1/responses/r"],
)
def test_nothing_is_generated_below_stored_responses(path: str) -> None:
    """What is there passes unread: no guard, no budget and no rule would see a prompt."""
    assert DEFAULT.find("POST", path) is WRONG_METHOD


@pytest.mark.parametrize(
    ("prefix", "place"),
    [("/v1beta", "/upload/v1beta"), ("/google/v1", "/google/upload/v1"), ("", "/upload")],
)
def test_uploads_stand_beside_their_api(prefix: str, place: str) -> None:
    assert uploads(prefix) == place


def test_files_of_one_family_are_found_where_those_of_several_are() -> None:
    found = DEFAULT.find_below(Family.GEMINI, "GET", "/v1/files/f?a=b")
    assert found == Found(Operation.GEMINI_FILES, Family.GEMINI, rest="/f?a=b")
    assert DEFAULT.find_below(Family.GEMINI, "PUT", "/v1/files/f") is None
    assert DEFAULT.find_below(Family.AZURE, "GET", "/v1/files/f") is None
