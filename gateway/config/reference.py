"""The types, as JSON Schema for editors and as a page for people: both generated and committed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from gateway.config.described import Described
from gateway.config.offered import USUAL_PATHS
from gateway.config.scalars import written_duration
from gateway.config.schema import Config
from gateway.config.vendors import VENDORS, Vendor

Schema: TypeAlias = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/"
_FORMATS: Mapping[str, str] = {
    "amount": "amount",
    "arn": "ARN",
    "cel": "CEL expression",
    "cidr": "CIDR block",
    "duration": "duration",
    "file": "path",
    "json-schema": "JSON Schema",
    "header": "header name",
    "host:port": "`host:port`",
    "hostname": "hostname",
    "ip": "IP address",
    "json": "any value",
    "model": "model name",
    "name": "name",
    "number": "number",
    "path": "path",
    "rate": "rate",
    "byte-rate": "rate of bytes",
    "re2": "RE2 pattern",
    "reference": "reference",
    "secret": "secret",
    "size": "size",
    "sticky": "`key`, `user`, `team`, `header:NAME` or CEL expression",
    "url": "URL",
    "period": "period",
    "time-zone": "time zone",
    "percent": "a percentage, such as `5%`",
}
_PREFACE = """# Configuration reference

Generated from `gateway/config/`; `REWRITE=1 make test` writes it anew. The same as JSON Schema,
for editors: [config.schema.json](config.schema.json).

Every block is optional. An unknown key is an error, a key with nothing after it counts as absent.
`dragoman validate FILE` reports every mistake at once, with its line.

| written | means |
|---|---|
| `${VAR}` | the environment variable; an error when it is not set |
| `${VAR:-default}` | the same, or the default when it is not set or empty |
| `$${` | a literal `${` |
| duration | `500ms`, `5s`, `2m`, `1h` |
| size | bytes: `65536`, `1MB` (1000²), `32MiB` (1024²) |
| amount | `500 USD`, `2.50 USD`, `100k tokens`, `5M tokens` |
| rate | `60/min`, `100k/hour`, `5/s`, `10k/day`; of bytes, `10MB/min` |
| name | letters, digits, `.`, `_`, `-`; at most 64 |
| reference | `provider/model`, or the name of a model of the file |

Variables are read after the YAML is parsed and only in values, so a value never adds structure.
Scalars follow YAML 1.2: `on` and `yes` are text. Anchors, aliases and `<<` work.

## Several files

`FILE` may be a folder: all its `*.yaml` and `*.yml`, by name. A file may `include` others by name,
by folder, or by glob (`*`, `?`, `[…]` within a name, `**` for any folders); hidden names are
skipped, so a mounted ConfigMap works. All files are one configuration:

- blocks are merged, and so are the names of providers, models, gateways, groups and prices;
- lists follow one another: a file, then what it includes, in the order of the entries and of names;
- what is written in two files has to be the same there: no file wins over another;
- each file counts once, also when files include each other;
- a name that leads to no file is an error, a glob without files a warning.

Paths are relative to the file in which they are written. Certificates, keys and prices are read
with the configuration. All files are watched, and the folders of globs: a change of any of them is
one new configuration, taken as a whole or not at all.
"""


def json_schema() -> str:
    """What editors check and complete with."""
    schema = _schema()
    return json.dumps({"$schema": _DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"


def markdown() -> str:
    """What people read."""
    schema = _schema()
    sections = [_PREFACE]
    for path, block in _blocks("", schema, schema["$defs"]):
        sections.append(_section(path, block, schema["$defs"]))
    sections.append(_vendors())
    return "\n".join(sections)


def _schema() -> Schema:
    """Pydantic's, tidied; closed sets of words stand where they are used."""
    found = Config.model_json_schema(by_alias=True, schema_generator=Described)
    words = {
        f"{_REFERENCE}{name}": {"enum": block["enum"]}
        for name, block in found["$defs"].items()
        if "enum" in block
    }
    tidy = _tidy(found, words)
    for reference in words:
        del tidy["$defs"][reference.removeprefix(_REFERENCE)]
    return tidy


def _tidy(schema: Schema, words: Mapping[str, Schema]) -> Schema:
    """Without what follows from elsewhere: titles, nulls, and defaults of whole blocks."""
    tidy: Schema = {}
    for key, value in schema.items():
        match key:
            case "title" | "discriminator":
                continue
            case "description":
                tidy[key] = " ".join(value.split())
            case "default" if value in (None, [], {}) or isinstance(value, dict):
                continue
            case "default" if schema.get("format") == "duration":
                tidy[key] = written_duration(value)
            case "$ref" if value in words:
                tidy |= words[value]
            case "properties" | "$defs":
                tidy[key] = {name: _tidy(inner, words) for name, inner in value.items()}
            case "anyOf" | "oneOf":
                kept = [_tidy(each, words) for each in value if each != {"type": "null"}]
                tidy |= kept[0] if len(kept) == 1 else {key: kept}
            case _:
                tidy[key] = _tidy(value, words) if isinstance(value, dict) else value
    return tidy


def _blocks(path: str, schema: Schema, definitions: Schema) -> Iterator[tuple[str, Schema]]:
    """Every block and where it stands, depth first, in the order of the types."""
    block = _as_block(schema)
    yield path, block
    for name, field in block["properties"].items():
        here = f"{path}.{name}" if path else name
        for place, reference in _references(here, field, definitions):
            if place != path:
                yield from _blocks(place, definitions[reference], definitions)


def _as_block(schema: Schema) -> Schema:
    found: Schema = next((each for each in schema.get("anyOf", ()) if "properties" in each), schema)
    return found


def _references(path: str, field: Schema, definitions: Schema) -> Iterator[tuple[str, str]]:
    if "$ref" in field:
        yield _once(path), field["$ref"].removeprefix(_REFERENCE)
    elif "oneOf" in field:
        for each in field["oneOf"]:
            name = each["$ref"].removeprefix(_REFERENCE)
            yield f"{path} {definitions[name]['properties']['type']['const']}", name
    elif "items" in field:
        yield from _references(f"{path}[]", field["items"], definitions)
    elif isinstance(field.get("additionalProperties"), dict):
        yield from _references(f"{path}.NAME", field["additionalProperties"], definitions)


def _once(path: str) -> str:
    """Of a block that holds blocks of its kind: where the outermost stands."""
    *outer, before, last = ("", "", *path.split("."))
    return ".".join(filter(None, (*outer, before))) if before == last else path


def _section(path: str, block: Schema, definitions: Schema) -> str:
    required = block.get("required", ())
    lines = [
        f"## `{path}`" if path else "## The file",
        "",
        block["description"],
        "",
        "| field | type | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in block["properties"].items():
        kind = _type(f"{path}.{name}" if path else name, field, definitions)
        default = "required" if name in required else _default(field)
        lines.append(
            f"| `{name}` | {kind} | {default} | {field['description']} |".replace("|  |", "| |")
        )
    return "\n".join([*lines, ""])


def _default(field: Schema) -> str:
    if "default" not in field:
        return ""
    return f"`{json.dumps(field['default'], ensure_ascii=False)}`"


def _type(path: str, field: Schema, definitions: Schema) -> str:
    """A few words, with a link where a section explains more."""
    places = [place for place, _ in _references(path, field, definitions)]
    if places:
        links = [f"[block](#{_anchor(place)})" for place in places]
        word = " or ".join(links)
        if "items" in field:
            return f"list of {word}"
        return f"map of {word}" if "additionalProperties" in field else word
    if "anyOf" in field:
        return _any(path, field["anyOf"], definitions)
    if "enum" in field or "const" in field:
        return ", ".join(f"`{each}`" for each in field.get("enum", [field.get("const")]))
    if "format" in field:
        return _FORMATS[field["format"]]
    match field["type"]:
        case "array":
            return f"list of {_type(path, field['items'], definitions)}"
        case "object":
            return f"map to {_type(path, field['additionalProperties'], definitions)}"
        case "boolean":
            return "true or false"
        case "string":
            return "text"
    low, high = field.get("minimum"), field.get("maximum")
    return field["type"] if low is None or high is None else f"{field['type']} {low}–{high}"


def _any(path: str, kinds: list[Schema], definitions: Schema) -> str:
    """Without the text that stands for a variable: the preface says that all values may be one."""
    shown = [each for each in kinds if each.get("pattern") != r"\$\{"]
    return " or ".join(dict.fromkeys(_type(path, each, definitions) for each in shown))


def _anchor(path: str) -> str:
    """The way GitHub makes anchors of headings."""
    kept = "".join(each for each in path.lower() if each.isalnum() or each in "-_ ")
    return kept.replace(" ", "-")


def _vendors() -> str:
    lines = [
        "## Provider types",
        "",
        "What each offers, with the path where that is not the usual one. `key` goes into this"
        " header. Options in braces are keys of the provider.",
        "",
        "| type | address | options | key | offers |",
        "|---|---|---|---|---|",
    ]
    for name, vendor in sorted(VENDORS.items()):
        address = f"`{_shown_url(vendor.url)}`" if vendor.url else "`url` or `pool` is required"
        options = [f"`{each}`" for each in vendor.needs]
        options += [f"`{each}` (optional)" for each in vendor.takes]
        key = f"`{vendor.key.header}: {vendor.key.prefix}…`"
        row = (f"`{name}`", address, ", ".join(options), key, _offered(vendor))
        lines.append(f"| {' | '.join(row)} |".replace("|  |", "| |"))
    return "\n".join([*lines, ""])


def _shown_url(url: str) -> str:
    return url.replace("{vertex_host}", "{region}-aiplatform.googleapis.com").replace(
        "{azure_project}", ""
    )


def _offered(vendor: Vendor) -> str:
    return ", ".join(
        f"`{operation}`" + ("" if USUAL_PATHS.get(operation) == path else f" at `{path}`")
        for operation, path in vendor.offers
    )
