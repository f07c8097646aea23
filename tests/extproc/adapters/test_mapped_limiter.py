"""Meters that workers share: exact under contention, and given back by the dead."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from extproc.adapters.mapped_limiter import ROWS, MappedLimiter
from extproc.ports import NEVER, LimitsUnavailable, Meter, Pace, Places
from gateway.limits import Algorithm

SECOND = 10**9
HOURLY = Pace(100, 3600 * SECOND, Algorithm.SLIDING_WINDOW)
MINUTELY = Pace(60, 60 * SECOND, Algorithm.TOKEN_BUCKET)


class Clock:
    def __init__(self) -> None:
        self.now = 1000 * SECOND

    def __call__(self) -> int:
        return self.now


@contextmanager
def limiter(folder: Path, clock: Clock | None = None, rows: int = 64) -> Iterator[MappedLimiter]:
    made = MappedLimiter(folder, None, clock or Clock(), rows)
    try:
        yield made
    finally:
        made.close()


def takes(of: MappedLimiter, *meters: Meter, amount: int = 1) -> bool:
    return not of.take([(each, amount, True) for each in meters])[2]


def test_two_workers_draw_on_one_meter(tmp_path: Path) -> None:
    with limiter(tmp_path) as one, limiter(tmp_path) as other:
        mine, yours = one.meter("m", MINUTELY), other.meter("m", MINUTELY)
        assert takes(one, mine, amount=30)
        assert takes(other, yours, amount=30)
        assert not takes(one, mine)
        assert not takes(other, yours)
        assert takes(other, other.meter("another", MINUTELY), amount=60)


def test_what_was_taken_is_known_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    with limiter(tmp_path, clock) as before:
        assert takes(before, before.meter("m", HOURLY), amount=100)
    with limiter(tmp_path, clock) as after:
        assert not takes(after, after.meter("m", HOURLY))
        clock.now += 4000 * SECOND
        assert takes(after, after.meter("m", HOURLY), amount=100)


def test_all_is_taken_or_nothing(tmp_path: Path) -> None:
    with limiter(tmp_path) as made:
        wide, tight = made.meter("wide", HOURLY), made.meter("tight", Pace(1, *MINUTELY[1:]))
        places = made.meter("places", Places(1))
        assert takes(made, wide, tight, places)
        refused = made.take([(each, 1, True) for each in (wide, tight, places)])
        assert refused[2]
        assert [each[0] for each in refused[1]] == [99, 0, 0]
        assert refused[1][1][2] == 60 * SECOND
        assert made.take([(wide, 0, True)])[1][0][0] == 99


def test_what_is_not_binding_refuses_nobody_and_is_not_overdrawn(tmp_path: Path) -> None:
    with limiter(tmp_path) as made:
        watched, place = made.meter("watched", Pace(1, *MINUTELY[1:])), made.meter("p", Places(1))
        draws = [(watched, 1, False), (place, 1, False)]
        assert [each[2] for each in made.take(draws)[1]] == [0, 0]
        again = made.take(draws)
        assert not again[2]
        assert all(each[2] for each in again[1])
        made.leave([place])
        assert made.take(draws[1:])[1][0][2] == 0


def test_what_is_larger_than_a_limit_never_passes(tmp_path: Path) -> None:
    with limiter(tmp_path) as made:
        took = made.take([(made.meter("m", MINUTELY), 61, True)])
        assert took[1][0][2] == NEVER


def test_what_was_taken_is_corrected(tmp_path: Path) -> None:
    with limiter(tmp_path) as made:
        meter = made.meter("m", HOURLY)
        took = made.take([(meter, 100, True)])
        made.correct([(meter, -40)], took[0])
        assert takes(made, meter, amount=40)
        assert not takes(made, meter)


def test_places_are_free_when_they_are_left_or_their_worker_is(tmp_path: Path) -> None:
    with limiter(tmp_path) as one:
        mine = one.meter("m", Places(2))
        with limiter(tmp_path) as other:
            yours = other.meter("m", Places(2))
            assert takes(one, mine)
            assert takes(other, yours)
            assert not takes(one, mine)
            one.leave([mine])
            assert takes(other, yours)
            assert not takes(one, mine)
        assert takes(one, mine)
        assert takes(one, mine)
        assert not takes(one, mine)


def test_a_row_is_used_again_when_it_says_nothing_any_more(tmp_path: Path) -> None:
    clock = Clock()
    with limiter(tmp_path, clock, rows=16) as made:
        held = made.meter("held", Places(1))
        assert takes(made, held)
        meters = [made.meter(f"{number}", MINUTELY) for number in range(15)]
        assert all(takes(made, each) for each in meters)
        new = made.meter("new", MINUTELY)
        with pytest.raises(LimitsUnavailable, match="too many"):
            takes(made, new)
        clock.now += 2 * SECOND
        assert takes(made, new, amount=60)
        assert not takes(made, held)
        assert not takes(made, new)


def test_names_stay_while_there_are_rows_that_nobody_had(tmp_path: Path) -> None:
    clock = Clock()
    with limiter(tmp_path, clock, rows=16) as made:
        meters = [made.meter(f"{number}", MINUTELY) for number in range(16)]
        rows = set()
        for each in meters:
            assert takes(made, each)
            rows.add(each.row)  # type: ignore[attr-defined]
            clock.now += 2 * SECOND  # what it says matters no more
        assert len(rows) == 16
        last = made.meter("last", MINUTELY)
        assert takes(made, last)
        assert last.row == meters[0].row  # type: ignore[attr-defined]  # free for the longest


def test_after_another_boot_all_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with limiter(tmp_path) as made:
        assert takes(made, made.meter("m", HOURLY), amount=100)
    (file,) = tmp_path.glob("limits-*")
    data = bytearray(file.read_bytes())
    data[20] ^= 1  # within the boot's identity
    file.write_bytes(data)
    with limiter(tmp_path) as made:
        assert takes(made, made.meter("m", HOURLY), amount=100)


def test_a_lock_that_is_never_free_is_said(tmp_path: Path) -> None:
    with limiter(tmp_path) as made:
        meter = made.meter("m", MINUTELY)
        assert takes(made, meter)
        (shared,) = (each for each in tmp_path.iterdir() if "places" not in each.name)
        with shared.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with pytest.raises(LimitsUnavailable, match="lock"):
                takes(made, meter)
            began = time.monotonic()
            with pytest.raises(LimitsUnavailable, match="lock"):
                takes(made, meter)
            assert time.monotonic() - began < 0.05  # nobody waits again so soon
        assert takes(made, meter)


def test_without_room_it_is_said(tmp_path: Path) -> None:
    with limiter(tmp_path / "missing") as made, pytest.raises(LimitsUnavailable, match="cannot be"):
        made.meter("m", MINUTELY)


WORKER = """
import sys, time
from pathlib import Path
from extproc.adapters.mapped_limiter import ROWS, MappedLimiter
from extproc.ports import Pace, Places
from gateway.limits import Algorithm
day = 86400 * 10**9
made = MappedLimiter(Path(sys.argv[1]))
bucket = made.meter("bucket", Pace(5000, day, Algorithm.TOKEN_BUCKET))
window = made.meter("window", Pace(7000, day, Algorithm.SLIDING_WINDOW))
places = made.meter("places", Places(3))
sys.stdin.readline()
taken = [0, 0]
most = 0
for number in range(int(sys.argv[2])):
    took = made.take([(bucket, 1, True), (places, 1, True)])
    if not took[2]:
        taken[0] += 1
        most = max(most, 3 - took[1][1][0])
        made.leave([places])
    taken[1] += not made.take([(window, 1, True)])[2]
print(*taken, most, flush=True)
sys.stdin.readline()
"""


def worker(folder: Path, rounds: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(rounds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def ended(*processes: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        for each in processes:
            each.kill()
            each.communicate()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_workers_that_contend_take_exactly_what_there_is(tmp_path: Path) -> None:
    workers = [worker(tmp_path, 4000) for _ in range(4)]
    with ended(*workers):
        for each in workers:
            go(each)
        said = [each.stdout.readline().split() for each in workers if each.stdout]
    assert sum(int(buckets) for buckets, _, _ in said) <= 5000
    assert sum(int(windows) for _, windows, _ in said) == 7000
    assert max(int(most) for _, _, most in said) <= 3


HOLDER = """
import sys
from pathlib import Path
from extproc.adapters.mapped_limiter import ROWS, MappedLimiter
from extproc.ports import Places
made = MappedLimiter(Path(sys.argv[1]))
places = made.meter("m", Places(2))
for _ in range(2):
    assert not made.take([(places, 1, True)])[2]
print("held", flush=True)
sys.stdin.readline()
"""


def test_what_a_killed_worker_held_is_free(tmp_path: Path) -> None:
    clock = Clock()
    with limiter(tmp_path, clock, rows=ROWS) as made:
        meter = made.meter("m", Places(2))
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            assert not takes(made, meter)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
        clock.now += SECOND
        assert takes(made, meter)
        assert takes(made, meter)
        assert not takes(made, meter)


def test_workers_killed_while_they_take_leave_the_meters_right(tmp_path: Path) -> None:
    """At most one call of each is counted that nobody saw."""
    for _ in range(5):
        process = worker(tmp_path, 10**9)
        go(process)
        deadline = time.monotonic() + 10
        while not list(tmp_path.glob("limits-*-places-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        process.kill()
        process.communicate()
    with limiter(tmp_path, time.monotonic_ns, rows=ROWS) as made:  # type: ignore[arg-type]
        places = made.meter("places", Places(3))
        assert all(takes(made, places) for _ in range(3))
        assert not takes(made, places)
        day = 86400 * SECOND
        window = made.meter("window", Pace(7000, day, Algorithm.SLIDING_WINDOW))
        left = made.take([(window, 0, True)])[1][0][0]
        assert 0 <= left <= 7000
        assert takes(made, window, amount=left)
        assert not takes(made, window)


def test_corrections_are_made_with_the_next_draw_or_a_moment_later(tmp_path: Path) -> None:
    due: list[Callable[[], None]] = []
    one = MappedLimiter(tmp_path, lambda _seconds, what: due.append(what), Clock(), 64)
    with limiter(tmp_path) as other:
        mine, yours = one.meter("m", HOURLY), other.meter("m", HOURLY)
        at, _, _ = one.take([(mine, 100, True)])
        one.correct([(mine, -40)], at)
        one.correct([(mine, -10)], at)
        assert not takes(other, yours)
        assert len(due) == 1
        due.pop()()
        assert takes(other, yours, amount=50)
        one.correct([(mine, -10)], at)
        assert takes(one, mine, amount=10)
        due.pop()()
        assert not takes(other, yours)
    one.close()


def test_what_waits_to_be_corrected_is_not_lost_when_a_worker_ends(tmp_path: Path) -> None:
    one = MappedLimiter(tmp_path, lambda _seconds, _what: None, Clock(), 64)
    meter = one.meter("m", HOURLY)
    at, _, _ = one.take([(meter, 100, True)])
    one.correct([(meter, -40)], at)
    one.close()
    with limiter(tmp_path) as other:
        assert takes(other, other.meter("m", HOURLY), amount=40)


def test_places_that_are_left_after_the_end_are_free_already(tmp_path: Path) -> None:
    one = MappedLimiter(tmp_path, None, Clock(), 64)
    meter = one.meter("m", Places(1))
    assert takes(one, meter)
    one.close()
    one.leave([meter])
    with limiter(tmp_path) as other:
        assert takes(other, other.meter("m", Places(1)))
