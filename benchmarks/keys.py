"""What virtual keys cost a request: `python -m benchmarks.keys` prints microseconds per call.

CPU time of the whole process, so looks at the store, in their thread, are counted too.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from extproc.adapters.key_directory import open_directory
from extproc.adapters.key_places import KeyPlaces
from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.facts import Facts
from extproc.keys import HeldKey
from extproc.policies.authenticate import Authenticate, Witnesses
from extproc.policies.limit import Limits, Taken
from extproc.verdict import PASS
from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.limits import Counted
from gateway.model import ApiKey, Identity
from gateway.virtual_keys import OwnLimit, Parts, VirtualKey, hashed, in_letters, written
from tests.kit.servers import postgres, redis
from xds_server.keys.store import Deed, KeyStore
from xds_server.keys.stores import store_at

CALLS = 100_000
CALLS_PER_TICK = 20
"""How many requests a busy worker has in one turn of its event loop."""
COUNTS = (10, 1_000, 100_000)
BATCH = 10_000
WRONG = 20_000
HERE = LedgerPlace()


def fill(store: KeyStore, count: int) -> list[str]:
    """So many keys; their texts."""
    texts = []
    deed = Deed(0, "benchmark", "import")
    for start in range(0, count, BATCH):
        keys = []
        for number in range(start, min(start + BATCH, count)):
            parts = Parts(in_letters(random.randbytes(10)), in_letters(random.randbytes(25)))
            secret = hashed(parts.secret, random.randbytes(16))
            keys.append(
                VirtualKey(parts.id, f"key-{number}", (secret,), 0, user=f"u{number}", team="t")
            )
            texts.append(written(parts))
        store.add(keys, deed)
    return texts


async def call(policy: Authenticate, text: str, now: datetime, *, is_right: bool = True) -> None:
    facts = Facts(now, headers={"authorization": f"Bearer {text}"})
    verdict = policy.on_headers(facts)
    if isinstance(verdict, Awaitable):
        verdict = await verdict
    if (verdict is PASS) is not is_right:
        raise SystemExit(f"not as it should be: {verdict}")


async def calls(policy: Authenticate, texts: Sequence[str], *, is_right: bool = True) -> float:
    """Microseconds of CPU for each of these calls."""
    now = datetime.now(UTC)
    before = time.process_time()
    for start in range(0, len(texts), CALLS_PER_TICK):
        some = texts[start : start + CALLS_PER_TICK]
        await asyncio.gather(*[call(policy, text, now, is_right=is_right) for text in some])
    return (time.process_time() - before) / len(texts) * 1e6


def guess(number: int) -> str:
    """A text that is written as a key of ours, and is none."""
    return written(Parts(in_letters(number.to_bytes(10, "big")), "a" * 40))


async def measure(folder: Path, count: int, place: LedgerPlace = HERE) -> None:
    texts = fill(store_at(folder / "ledger.db", place), count)
    places = KeyPlaces(open_directory(folder / "ledger.db", time.time), time.time)
    identity = Identity(is_required=True, has_stored_keys=True)
    policy = Authenticate(identity, witnesses=Witnesses(places.at(place, 300.0)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = await calls(policy, random.sample(texts, len(texts)))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    warm = await calls(policy, random.choices(texts, k=CALLS))
    guesses = [guess(each) for each in range(WRONG)]
    wrong = await calls(policy, guesses, is_right=False)
    secrets = [f"{texts[0][:-40]}{in_letters(each.to_bytes(25, 'big'))}" for each in range(WRONG)]
    secret = await calls(policy, secrets, is_right=False)
    await places.close()
    print(
        f"{count:>8,} keys: {warm:6.2f} µs known, {first:6.2f} µs the first time, "
        f"{wrong:6.2f} µs an id that there is not, {secret:6.2f} µs a wrong secret, {grown:.0f} MB"
    )


def limited(folder: Path, count: int) -> float:
    """Microseconds of CPU for each call under two limits of its key's own, all keys in use."""
    limiter = MappedLimiter(folder, lambda _seconds, _what: None)
    policy = Limits((), limiter, are_keys_limited=True)
    limits = (OwnLimit(Counted.REQUESTS, 10**9, 60), OwnLimit(Counted.TOKENS, 10**9, 60))
    secret = (hashed("a", b"salt"),)
    holders = [
        HeldKey(VirtualKey(in_letters(each.to_bytes(10, "big")), f"k{each}", secret, 0,
                           limits=limits)).principal
        for each in range(count)
    ]  # fmt: skip
    now, spent = datetime.now(UTC), 0.0
    for holding in (random.sample(holders, count), random.choices(holders, k=CALLS)):
        before = time.process_time()
        for holder in holding:
            taken = policy.take(Facts(now, principal=holder, model="fast"), 1000, 2000)
            if not isinstance(taken, Taken):
                raise SystemExit(f"refused: {taken}")
            taken.settle(420)
        spent = (time.process_time() - before) / len(holding) * 1e6
    limiter.close()
    return spent


async def of_file() -> None:
    """The keys of the file, for comparison."""
    keys = tuple(ApiKey(f"key-{each}", f"{each:064x}") for each in range(1_000))
    identity = Identity((*keys, ApiKey("right", _sha256("right"))), is_required=True)
    spent = await calls(Authenticate(identity), ["right"] * CALLS)
    print(f"of the file, 1,001 keys: {spent:.2f} µs")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> int:
    uvloop.run(of_file())
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            uvloop.run(measure(Path(folder), count))
            print(f"{'':>8}       {limited(Path(folder), count):6.2f} µs for two limits of its own")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with redis(folder / "redis") as of_redis, postgres(folder / "postgres") as of_postgres:
            for kind, url, user in (
                (LedgerKind.REDIS, f"redis://127.0.0.1:{of_redis.port}", ""),
                (
                    LedgerKind.POSTGRES,
                    f"postgresql://127.0.0.1:{of_postgres.port}/ledger",
                    "gateway",
                ),
            ):
                print(f"in {kind}:")
                for count in COUNTS:
                    place = LedgerPlace(kind, url, user, name=f"k{count}", answer_seconds=4.0)
                    uvloop.run(measure(folder, count, place))
    return 0


if __name__ == "__main__":
    sys.exit(main())
