"""A release, from the publisher to everybody who is connected."""

from __future__ import annotations

import asyncio

from envoy_api.discovery import Variant

from tests.kit.publishing import (
    IMPATIENT,
    NO_ENVOY,
    SECONDS,
    World,
    heard,
    refusing,
    text,
    world,
)
from xds_server.audience import Kind
from xds_server.rollout import Patience
from xds_server.snapshot import CLUSTER


def test_workers_hear_of_clusters_that_envoys_have_and_before_routes_lead_there() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        stage.join(Kind.WORKER, "worker-1")
        stage.join(Kind.WORKER, "worker-2")
        assert await stage.bring(text("a")) == ()
        assert await stage.bring(text("a", "b")) == ()
        first, second = stage.story[:4], stage.story[4:]
        assert sorted(first[:2]) == [f"worker-{n} configuration dragoman" for n in (1, 2)]
        assert first[2:] == ["envoy cluster a", "envoy routes routes"]
        assert second[0] == "envoy cluster b"
        assert sorted(second[1:3]) == [f"worker-{n} configuration dragoman" for n in (1, 2)]
        assert second[3:] == ["envoy routes routes"]
        assert stage.rollout.missing() == ()

    world(scene)


def test_envoys_get_nothing_while_a_worker_has_not_answered() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        worker = stage.join(Kind.WORKER, "worker")
        worker.may_answer.clear()
        change = stage.start(text("a"))
        await stage.until(lambda: bool(stage.story))
        assert stage.clients.offered(Kind.ENVOY) is None
        worker.may_answer.set()
        assert await change == ()
        assert stage.story[1:] == ["envoy cluster a", "envoy routes routes"]

    world(scene)


def test_envoys_get_nothing_while_the_hub_has_not_answered_and_it_is_no_worker() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        hub = stage.join(Kind.HUB, "hub")
        change = stage.start(text("a"))
        await stage.until(lambda: bool(heard(stage.story, "hub")))
        assert "no extproc worker has acknowledged the configuration" in stage.rollout.missing()
        hub.may_answer.clear()
        stage.join(Kind.WORKER, "worker")
        assert await change == ()
        second = stage.start(text("a", "b"))
        await stage.until(lambda: len(heard(stage.story, "worker")) == 2)
        assert "envoy cluster b" in stage.story
        assert stage.story[-1] != "envoy routes routes"
        hub.may_answer.set()
        assert await second == ()
        assert stage.story[-1] == "envoy routes routes"

    world(scene, workers=1)


def test_what_the_hub_refuses_is_taken_back() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.HUB, "hub", refusing("a"))
        (problem,) = await stage.bring(text("a"))
        assert problem.message.startswith("hub hub refuses Configuration")
        assert stage.rollout.accepted is None

    world(scene)


def test_envoys_get_nothing_while_an_expected_worker_is_away() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        stage.join(Kind.WORKER, "here")
        change = stage.start(text("a"))
        await stage.until(lambda: stage.rollout.missing() == (NO_ENVOY,))
        for _ in range(5):  # whatever can happen now has happened then
            await asyncio.sleep(0)
        assert stage.clients.offered(Kind.ENVOY) is None
        away = stage.join(Kind.WORKER, "away")
        away.may_answer.clear()
        await stage.until(lambda: bool(heard(stage.story, "away")))
        assert stage.clients.offered(Kind.ENVOY) is None
        away.may_answer.set()
        assert await change == ()
        assert stage.story[2:] == ["envoy cluster a", "envoy routes routes"]

    world(scene, workers=2)


def test_an_expected_worker_that_stays_away_holds_nothing_up_for_long() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        stage.join(Kind.WORKER, "here")
        assert await stage.bring(text("a")) == ()
        assert heard(stage.story, "envoy") == ["cluster a", "routes routes"]

    world(scene, workers=2, patience=IMPATIENT)


def test_at_the_start_envoys_wait_for_the_first_worker() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        change = stage.start(text("a"))
        await stage.until(lambda: stage.clients.offered(Kind.WORKER) is not None)
        missing = stage.rollout.missing()
        assert [word in line for word, line in zip(("worker", "Envoy"), missing, strict=True)]
        assert not change.done()
        stage.join(Kind.WORKER, "worker")
        await change
        assert stage.story[0] == "worker configuration dragoman"

    world(scene)


def test_without_expected_workers_envoys_wait_for_nobody() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.ENVOY, "envoy")
        await stage.bring(text("a"))
        assert stage.story == ["envoy cluster a", "envoy routes routes"]
        assert stage.rollout.missing() == ()

    world(scene, workers=0)


def test_what_a_change_removes_goes_last() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy")
        await stage.bring(text("a", "b"))
        await stage.bring(text("b", "c"))
        await stage.until(lambda: stage.rollout.missing() == ())
        assert heard(stage.story, "envoy") == [
            "cluster a b",
            "routes routes",
            "cluster c",
            "routes routes",
            "cluster -a",
        ]

    world(scene)


def test_a_workers_refusal_ends_the_change() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "good")
        stage.join(Kind.WORKER, "picky", refusing("b"))
        stage.join(Kind.ENVOY, "envoy")
        await stage.bring(text("a"))
        problems = await stage.bring(text("b"))
        assert [str(problem) for problem in problems] == [
            "extproc picky refuses Configuration: cannot"
        ]
        assert stage.rollout.refused == problems
        await stage.until(lambda: all(each.is_current for each in stage.clients.states()))
        assert heard(stage.story, "good") == ["configuration dragoman"] * 3
        assert heard(stage.story, "picky")[1:] == [
            "configuration dragoman refused",
            "configuration dragoman",
        ]
        assert heard(stage.story, "envoy") == [
            "cluster a",
            "routes routes",
            "cluster b",
            "cluster -b",
        ]
        assert await stage.bring(text("c")) == ()
        assert stage.rollout.refused == ()

    world(scene)


def test_a_first_configuration_that_workers_refuse_is_withdrawn() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "picky", refusing("b"))
        stage.join(Kind.ENVOY, "envoy")
        assert await stage.bring(text("b")) != ()
        assert stage.clients.offered(Kind.WORKER) is None
        assert stage.clients.offered(Kind.ENVOY) is None
        assert stage.rollout.missing() != ()
        assert await stage.bring(text("a")) == ()
        assert stage.rollout.missing() == ()

    world(scene)


def test_a_worker_that_does_not_answer_holds_nothing_up_for_long() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "good")
        stage.join(Kind.WORKER, "stuck").may_answer.clear()
        stage.join(Kind.ENVOY, "envoy")
        assert await stage.bring(text("a")) == ()
        await stage.until(lambda: heard(stage.story, "envoy") == ["cluster a", "routes routes"])

    world(scene, patience=IMPATIENT)


def test_workers_that_all_died_are_waited_for() -> None:
    async def scene(stage: World) -> None:
        worker = stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy")
        await stage.bring(text("a"))
        stage.leave(worker)
        change = stage.start(text("b"))
        await stage.until(lambda: stage.rollout.missing() != ())
        assert heard(stage.story, "envoy") == ["cluster a", "routes routes"]
        stage.join(Kind.WORKER, "again")
        assert await change == ()
        await stage.until(lambda: stage.rollout.missing() == ())
        assert heard(stage.story, "envoy")[2:] == ["cluster b", "routes routes", "cluster -a"]

    world(scene)


def test_who_joins_late_gets_what_is_served_at_once() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        await stage.bring(text("a"))
        stage.join(Kind.ENVOY, "late-envoy")
        stage.join(Kind.WORKER, "late-worker")
        await stage.until(lambda: all(each.is_current for each in stage.clients.states()))
        assert heard(stage.story, "late-envoy") == ["cluster a", "routes routes"]
        assert heard(stage.story, "late-worker") == ["configuration dragoman"]

    world(scene)


def test_what_an_envoy_shows_of_it_is_not_told_but_for_its_name() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        envoy = stage.join(Kind.ENVOY, "edge\x1b[2J", lambda each: each.name == "b")
        dump = 'goo.gle/debugstr\nname: "b"\npassword: "HUNTER2"\n'
        envoy.reason = f"{dump}: Proto constraint failed (Name: bad)"
        await stage.bring(text("a"))
        (problem,) = await stage.bring(text("b"))
        assert "refuses Cluster: b: [redacted]: Proto constraint failed (Name: bad)" in str(problem)
        assert str(problem).isprintable()

    world(scene)


def test_what_an_envoy_refuses_of_what_is_new_no_worker_hears_of() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy", lambda each: each.type_url == CLUSTER and each.name == "b")
        await stage.bring(text("a"))
        problems = await stage.bring(text("b"))
        assert [str(problem) for problem in problems] == ["envoy envoy refuses Cluster: cannot"]
        assert stage.rollout.refused == problems
        await stage.until(lambda: stage.rollout.missing() == ())
        assert heard(stage.story, "worker") == ["configuration dragoman"]
        assert heard(stage.story, "envoy")[2:] == ["cluster b refused", "cluster -b"]
        accepted = stage.rollout.accepted
        assert accepted is not None
        assert [provider.name for provider in accepted.gateway.providers] == ["a"]
        assert await stage.bring(text("c")) == ()
        await stage.until(lambda: stage.rollout.missing() == ())
        assert heard(stage.story, "envoy")[4:] == ["cluster c", "routes routes", "cluster -a"]

    world(scene)


def test_an_envoys_refusal_takes_everybody_back() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy", lambda each: each.body == b"a b")
        await stage.bring(text("a"))
        problems = await stage.bring(text("a", "b"))
        assert [str(problem) for problem in problems] == [
            "envoy envoy refuses RouteConfiguration: cannot"
        ]
        await stage.until(lambda: stage.rollout.missing() == ())
        assert heard(stage.story, "worker") == ["configuration dragoman"] * 3
        assert heard(stage.story, "envoy")[2:] == [
            "cluster b",
            "routes routes refused",
            "routes routes",
            "cluster -b",
        ]

    world(scene)


def test_who_refuses_that_something_is_gone_holds_no_later_change_up() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        envoy = stage.join(Kind.ENVOY, "envoy")
        assert await stage.bring(text("a", "b")) == ()
        envoy.refuses_removals = True
        assert await stage.bring(text("a")) == ()
        await stage.until(lambda: "envoy cluster -b refused" in stage.story)
        envoy.refuses_removals = False
        assert await stage.bring(text("a", "c")) == ()
        assert stage.story[-1] == "envoy routes routes"

    world(scene)


def test_a_first_configuration_that_envoy_refuses_is_not_ready() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy", lambda each: each.name == "b")
        assert await stage.bring(text("b")) != ()
        assert stage.rollout.missing() == (NO_ENVOY,)
        assert await stage.bring(text("c")) == ()
        await stage.until(lambda: stage.rollout.missing() == ())

    world(scene)


def test_an_envoy_that_does_not_answer_holds_nothing_up_for_long() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stuck = stage.join(Kind.ENVOY, "stuck")
        stage.join(Kind.ENVOY, "good")
        await stage.bring(text("a"))
        stuck.may_answer.clear()
        assert await stage.bring(text("b")) == ()
        await stage.until(lambda: heard(stage.story, "good")[-1] == "cluster -a")

    world(scene, patience=IMPATIENT)


def test_who_comes_and_never_answers_holds_nothing_up_for_long() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "good")
        await stage.bring(text("a"))
        await stage.until(lambda: stage.rollout.missing() == ())
        for new in ("b", "c"):
            stage.join(Kind.ENVOY, f"silent-{new}").may_answer.clear()
            assert await stage.bring(text(new)) == ()
        await stage.until(lambda: heard(stage.story, "good")[-1] == "cluster -b")

    world(scene, patience=Patience(SECONDS, SECONDS * 100, newcomer_seconds=0.05))


def test_the_latest_of_many_changes_wins() -> None:
    async def scene(stage: World) -> None:
        worker = stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "envoy")
        worker.may_answer.clear()
        changes = [stage.start(text(name)) for name in ("a", "b", "c", "d")]
        await stage.until(lambda: bool(stage.story))
        worker.may_answer.set()
        assert [await change for change in changes] == [(), (), (), ()]
        assert stage.rollout.missing() == ()
        assert heard(stage.story, "envoy") == ["cluster d", "routes routes"]
        accepted = stage.rollout.accepted
        assert accepted is not None
        assert [provider.name for provider in accepted.gateway.providers] == ["d"]

    world(scene)


def test_a_change_does_not_wait_for_the_answers_to_an_earlier_one() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        envoy = stage.join(Kind.ENVOY, "envoy")
        await stage.bring(text("a"))
        envoy.may_answer.clear()
        earlier = stage.start(text("b"))
        await stage.until(lambda: "envoy cluster b" in stage.story)
        later = stage.start(text("c"))
        assert await earlier == ()
        envoy.may_answer.set()
        assert await later == ()
        await stage.until(lambda: stage.rollout.missing() == ())
        assert heard(stage.story, "envoy")[-1] == "cluster -a -b"

    world(scene)


def test_both_variants_are_brought_a_change_in_the_same_order() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker", variant=Variant.SOTW)
        stage.join(Kind.ENVOY, "sotw", variant=Variant.SOTW)
        stage.join(Kind.ENVOY, "delta")
        await stage.bring(text("a", "b"))
        await stage.bring(text("b", "c"))
        await stage.until(lambda: all(each.is_current for each in stage.clients.states()))
        assert heard(stage.story, "worker") == ["configuration dragoman"] * 2
        assert heard(stage.story, "delta")[2:] == ["cluster c", "routes routes", "cluster -a"]
        assert heard(stage.story, "sotw") == [
            "cluster a b",
            "routes routes",
            "cluster a b c",
            "routes routes",
            "cluster b c",
        ]

    world(scene)


GROUPS = """
gateways: {default: {port: 1001}}
xds:
  groups:
    edge: {match: {id: "edge-*"}, gateways: [default]}
    bare: {match: {id: "bare-*"}, gateways: []}
"""


def test_each_group_is_told_its_own_and_keeps_its_own_until_all_have_accepted() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "edge-1")
        stage.join(Kind.ENVOY, "bare-1")
        await stage.bring(text("a") + GROUPS)
        await stage.bring(text("b") + GROUPS)
        await stage.until(lambda: all(each.is_current for each in stage.clients.states()))
        assert heard(stage.story, "edge-1") == [
            "cluster a",
            "routes routes",
            "cluster b",
            "routes routes",
            "cluster -a",
        ]
        assert heard(stage.story, "bare-1") == ["cluster ", "routes routes"]

    world(scene)


def test_one_groups_refusal_takes_all_groups_back() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "edge-1", lambda each: each.type_url == CLUSTER and each.name == "b")
        stage.join(Kind.ENVOY, "bare-1")
        await stage.bring(text("a") + GROUPS)
        problems = await stage.bring(text("b") + GROUPS)
        assert [str(problem) for problem in problems] == ["envoy edge-1 refuses Cluster: cannot"]
        await stage.until(lambda: stage.rollout.missing() == ())
        assert heard(stage.story, "edge-1")[2:] == ["cluster b refused", "cluster -b"]
        assert stage.rollout.accepted is not None
        assert [each.name for each in stage.rollout.accepted.gateway.providers] == ["a"]

    world(scene)


def test_who_fits_no_group_any_more_is_ended_and_not_waited_for() -> None:
    async def scene(stage: World) -> None:
        stage.join(Kind.WORKER, "worker")
        stage.join(Kind.ENVOY, "edge-1")
        other = stage.join(Kind.ENVOY, "other-1")
        await stage.bring(text("a"))
        assert await stage.bring(text("b") + GROUPS) == ()
        assert other.client.ended is not None
        assert heard(stage.story, "edge-1")[-1] == "cluster -a"
        assert heard(stage.story, "other-1") == ["cluster a", "routes routes"]

    world(scene)
