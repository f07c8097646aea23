"""The control plane's way to a ledger in Redis or Valkey: connections for each question."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from redis import Redis, RedisCluster, Sentinel
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry

from gateway.ledger_place import LedgerPlace, RedisForm, read_redis_url, shown

ANSWER_SECONDS = 2.0


@contextlib.contextmanager
def connected(place: LedgerPlace, failing: type[Exception]) -> Iterator[Any]:
    """A client. What goes wrong within the block is raised as `failing`, and names no password."""
    clients: Sequence[Any] = ()
    try:
        clients = _clients(place)
        yield clients[0]
    except (RedisError, RedisClusterException, OSError, msgspec.DecodeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise failing(f"ledger '{shown(place.url)}': {reason}") from error
    finally:
        for client in clients:
            client.close()


def _clients(place: LedgerPlace) -> Sequence[Any]:
    """Who is asked, and those that it asks for the way there."""
    url = read_redis_url(place.url)
    tls: dict[str, Any] = dict(url.tls)
    options: dict[str, Any] = {
        "username": place.username or None,
        "password": place.password or None,
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": ANSWER_SECONDS,
        "retry": Retry(NoBackoff(), 0),  # a change whose answer is lost may have been made
    }
    if url.form is RedisForm.ONE:
        said = {name: value for name, value in options.items() if value is not None}
        return (Redis.from_url(place.url, **said),)
    if url.form is RedisForm.CLUSTER:
        nodes = [ClusterNode(*each) for each in url.places]  # type: ignore[no-untyped-call]
        return (RedisCluster(startup_nodes=nodes, **options, **tls),)
    asked = {**tls, "password": place.sentinel_password or None}
    found: Any = Sentinel(  # type: ignore[no-untyped-call]
        url.places, sentinel_kwargs=asked, **options, **tls
    )
    return found.master_for(url.service, db=url.database), *found.sentinels
