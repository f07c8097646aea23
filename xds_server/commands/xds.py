"""`dragoman xds get` and `dragoman xds watch`: what a management server tells its clients."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

import envoy_api
from envoy_api.dial import BadCredential, Credentials, Server
from envoy_api.discovery import Variant
from envoy_api.subscriber import Item, News, Subscriber
from google.protobuf.message import DecodeError

from gateway import names
from xds_server import flags
from xds_server.commands.command import Argument, Command, Environment, Switch, refuses
from xds_server.render import shown, yaml_of
from xds_server.snapshot import resource_of, short_type
from xds_server.xds_client import (
    SHORT_TYPES,
    Asker,
    NoAnswer,
    get,
    silent_about,
    type_url_of,
    watch,
)

TYPE = Argument("type", "TYPE", f"{', '.join(SHORT_TYPES)}, or the name of a message")
NAME = Argument("names", "NAME", "only the resources of these names; without it, all", count="*")
JSON = Switch("--json", "print JSON, one object for each line of `watch`")
FLAGS = (
    flags.SERVER,
    flags.VARIANT,
    flags.NODE_ID,
    flags.NODE_CLUSTER,
    flags.NODE_METADATA,
    flags.USER_AGENT,
    flags.ENVOY_VERSION,
    flags.XDS_CA,
    flags.XDS_CERT,
    flags.XDS_KEY,
    flags.XDS_TOKEN,
    flags.XDS_SERVER_NAME,
)


def run_get(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print what there is now."""
    asked = _asked(arguments)
    if asked is None:
        return 1
    server, subscriber = asked
    try:
        news = asyncio.run(get(server, subscriber, arguments.timeout))
    except (NoAnswer, BadCredential) as error:
        refuses([str(error)])
        return 1
    if arguments.json:
        print(json.dumps([_row(subscriber, item) for item in news.updated], indent=2))
    else:
        sys.stdout.write(yaml_of(*(_row(subscriber, item)["resource"] for item in news.updated)))
    if not subscriber.names and not news.updated:
        refuses([f"{server.address}: there is no {short_type(subscriber.type_url)} for this node"])
    absent = [f"{server.address}: there is no {name}" for name in news.removed]
    absent += [
        f"{server.address}: no answer about {name} in {arguments.timeout:g} s: it may not exist"
        for name in silent_about(subscriber, news)
    ]
    return 1 if refuses(absent) else 0


def run_watch(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print every change until interrupted."""
    asked = _asked(arguments)
    if asked is None:
        return 1
    server, subscriber = asked

    def tell(news: News) -> None:
        lines = _json_lines if arguments.json else _text_lines
        print(*lines(subscriber, news), sep="\n", flush=True)

    try:
        asyncio.run(watch(server, subscriber, tell, lambda line: refuses([line])))
    except (NoAnswer, BadCredential) as error:
        refuses([str(error)])
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _asked(arguments: argparse.Namespace) -> tuple[Server, Subscriber] | None:
    type_url = type_url_of(arguments.type)
    credentials = Credentials(
        ca=arguments.xds_ca,
        certificate=arguments.xds_cert,
        key=arguments.xds_key,
        token=arguments.xds_token,
        server_name=arguments.xds_server_name,
    )
    wrong = [credentials.mistake()] if credentials.mistake() else []
    if type_url is None:
        known = ", ".join(SHORT_TYPES)
        wrong.append(f"no type '{arguments.type}'; known: {known}, or write a message's full name")
    if refuses(each for each in wrong if each) or type_url is None:
        return None
    asker = Asker(
        arguments.node_id,
        arguments.node_cluster or "",
        arguments.envoy_version,
        arguments.user_agent,
        arguments.node_metadata or {},
    )
    variant = Variant(arguments.variant)
    asked = arguments.names
    if variant is Variant.SOTW and type_url == names.CONFIGURATION_TYPE:
        asked = asked or (names.CONFIGURATION_NAME,)  # there it has no name to be shown by
    return Server(arguments.server, credentials), Subscriber(variant, type_url, asked, asker.node())


def _row(subscriber: Subscriber, item: Item) -> dict[str, Any]:
    return {
        "name": item.name,
        "version": item.version,
        "resource": _shown(subscriber.type_url, item),
    }


def _shown(type_url: str, item: Item) -> dict[str, Any]:
    try:
        return shown(resource_of(item.name, type_url, item.body))
    except (envoy_api.UnknownMessage, DecodeError):
        return {"@type": type_url, "name": item.name, "undecoded_bytes": len(item.body)}


def _text_lines(subscriber: Subscriber, news: News) -> list[str]:
    short = short_type(subscriber.type_url)
    return [
        *(f"{short} {item.name}: version {item.version}" for item in news.updated),
        *(f"{short} {name}: does not exist" for name in news.removed),
    ]


def _json_lines(subscriber: Subscriber, news: News) -> list[str]:
    rows = [_row(subscriber, item) for item in news.updated]
    rows += [{"name": name, "version": None, "resource": None} for name in news.removed]
    return [json.dumps(row) for row in rows]


GET = Command(
    "xds get",
    "ask a management server for its resources, and print them without secrets",
    run_get,
    (TYPE, NAME),
    (*FLAGS, flags.TIMEOUT),
    (JSON,),
    details="""
Works with any server that speaks ADS. It subscribes as a client of its own, prints the first answer
as YAML documents (`--json`: a list of `{name, version, resource}`) and leaves; with names, when
each was answered, or the time is over. Exit status: 0; 1 when the server does not answer or has not
one of the names. That a name does not exist our server says at once in delta; in sotw, and from
servers that never say it, it is known by their silence.

What is told may depend on who asks: where there are node groups, say what `match` looks at.

```sh
dragoman xds get rds gateway/default --server 127.0.0.1:18000
dragoman xds get cds --node-id edge-7 --user-agent envoy --envoy-version 1.37.0
dragoman xds get lds --node-metadata labels.zone=eu-1
```
""",
)
WATCH = Command(
    "xds watch",
    "follow what a management server tells, one line for each resource that changes",
    run_watch,
    (TYPE, NAME),
    FLAGS,
    (JSON,),
    details="""
Goes on until it is interrupted, over as many streams as it takes. `--json` prints
`{name, version, resource}` for each change; what is gone has neither version nor content.
""",
)
