"""Who gets what is nobody's yet."""

from __future__ import annotations

from collections import Counter
from random import Random

from extproc.a2a_serving.choosing import Chooser
from extproc.a2a_serving.directory import Directory
from gateway.a2a import A2aAgent, Choosing, Member
from tests.kit.a2a_exchange import Clock
from tests.kit.mcp_exchange import Servers


class Wards(Directory):
    """How agents are, as a test says it."""

    def __init__(self, *ill: str) -> None:
        super().__init__((), Servers(), Clock().times)
        self._ill = set(ill)


def member(
    name: str, weight: float = 1.0, *, of: str = "", place: int = 0, turn: int = 0
) -> Member:
    return Member(A2aAgent(name, name, "/card"), name, of or name, weight, place, turn)


BOTH = (member("a"), member("b", 3.0))


def counted(chooser: Chooser, choosing: Choosing, times: int = 4000) -> Counter[str]:
    return Counter(chooser.chosen(BOTH, choosing).key for _ in range(times))


def test_by_weight_each_is_chosen_as_often_as_it_weighs() -> None:
    found = counted(Chooser(Wards(), Random(1).random), Choosing.WEIGHTED)
    assert 2.6 < found["b"] / found["a"] < 3.5


def test_the_least_busy_is_chosen_for_its_weight() -> None:
    chooser = Chooser(Wards(), Random(1).random)
    chosen = []
    for _ in range(8):
        name = chooser.chosen(BOTH, Choosing.LEAST_BUSY).key
        chooser.begin(name)
        chosen.append(name)
    assert Counter(chosen) == {"a": 2, "b": 6}
    for _ in range(2):
        chooser.end("a")
    assert chooser.chosen(BOTH, Choosing.LEAST_BUSY).key == "a"


def test_where_all_are_idle_chance_decides() -> None:
    assert len(counted(Chooser(Wards(), Random(1).random), Choosing.LEAST_BUSY)) == 2


def test_the_first_place_is_chosen_and_of_an_agent_the_instance_whose_turn_it_is() -> None:
    among = (
        member("a1", of="a", turn=0),
        member("a2", of="a", turn=1),
        member("b", place=1),
    )
    for ill, wanted in (
        ((), "a1"),
        (("a1",), "a2"),
        (("a1", "a2"), "b"),
        (("a1", "a2", "b"), "a1"),
    ):
        chooser = Chooser(Wards(*ill), lambda: 0.0)
        assert chooser.chosen(among, Choosing.FAILOVER).key == wanted


def test_a_conversation_that_has_a_name_is_anybodys_by_weight_and_always_the_same_ones() -> None:
    found: Counter[str] = Counter()
    for place in range(2000):
        first, second = (
            Chooser(Wards(), Random(seed).random).chosen(BOTH, Choosing.LEAST_BUSY, f"c{place}")
            for seed in (1, 2)
        )
        assert first is second
        found[first.key] += 1
    assert 2.5 < found["b"] / found["a"] < 3.6
    assert Chooser(Wards("b"), lambda: 0.0).chosen(BOTH, Choosing.WEIGHTED, "c").key == "a"
