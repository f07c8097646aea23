"""A worker's connections to a Redis or Valkey: one server, one behind sentinels, or a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from extproc.ports import LedgerUnavailable
from gateway.ledger_place import LedgerPlace, RedisForm, read_redis_url

Client: TypeAlias = Any
"""`Redis` or `RedisCluster`, which share no type."""


class RedisClient:
    """Connects when it is first asked, and again after it broke. Raises LedgerUnavailable."""

    def __init__(self, place: LedgerPlace) -> None:
        """ValueError where nobody can be reached by such a URL."""
        self._clients = connect(place)
        self.asked = self._clients[0]
        """Whose answers are to be passed through `answer`."""
        self._digests: dict[str, str] = {}

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """What the script returns."""
        digest = self._digests.get(script)
        if digest is None:
            digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
            self._digests[script] = digest
        rest = (len(keys), *keys, *arguments)
        try:
            return await self.answer(self.asked.execute_command("EVALSHA", digest, *rest))
        except NoScriptError:
            return await self.answer(self.asked.execute_command("EVAL", script, *rest))

    async def answer(self, asked: Awaitable[Any]) -> Any:
        """What was asked for."""
        try:
            return await asked
        except NoScriptError:
            raise
        except (RedisError, RedisClusterException, OSError) as error:
            if isinstance(self.asked, Redis):  # what lies idle broke with it
                await self.asked.connection_pool.disconnect(inuse_connections=False)
            raise LedgerUnavailable(str(error) or type(error).__name__) from error

    def target(self, key: str) -> Mapping[str, Any]:
        """Who is to be asked, in a cluster: the shard which has the key."""
        if isinstance(self.asked, RedisCluster):
            return {"target_nodes": self.asked.get_node_from_key(key)}
        return {}

    def break_off(self) -> None:
        """The client drops the connection when it is cancelled."""

    async def close(self) -> None:
        """Close all connections."""
        for each in self._clients:
            await each.aclose()


def connect(place: LedgerPlace) -> Sequence[Client]:
    """A client, which connects when it is first asked, and those that it asks for the way there."""
    url = read_redis_url(place.url)
    # A lost answer is asked again with all that came up since, not by the client.
    options: dict[str, Any] = {"retry": Retry(NoBackoff(), 0), "socket_keepalive": True}
    if place.username:
        options["username"] = place.username
    if place.password:
        options["password"] = place.password
    if url.form is RedisForm.ONE:
        return (Redis.from_url(place.url, **options),)
    options |= url.tls
    if url.form is RedisForm.CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in url.places]
        return (RedisCluster(startup_nodes=nodes, **options),)
    asked: dict[str, Any] = {**dict(url.tls), "socket_timeout": place.answer_seconds / 2}
    if place.sentinel_password:
        asked["password"] = place.sentinel_password
    found = Sentinel(url.places, sentinel_kwargs=asked, **options)  # type: ignore[no-untyped-call]
    return found.master_for(url.service, db=url.database), *found.sentinels
