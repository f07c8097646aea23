"""What one client has of one type, in as little memory as what differs."""

from __future__ import annotations

from xds_server.snapshot import CLUSTER, Named, Resource
from xds_server.subscription.topic import MAX_REFUSALS, Due, InFlight, Topic
from xds_server.subscription.words import ACK_SECONDS


def named(**versions: str) -> Named:
    return Named({name: Resource(name, CLUSTER, each, b"") for name, each in versions.items()})


def send(topic: Topic, nonce: str = "1") -> Due:
    said = topic.due()
    topic.sent(InFlight(nonce, "v", topic.wanted, said, 0.0))
    return said


def everything(resources: Named) -> Topic:
    topic = Topic(CLUSTER)
    topic.want_all()
    topic.catch_up(resources)
    return topic


def test_who_has_everything_takes_no_memory_of_its_own() -> None:
    topic = everything(named(a="1", b="1"))
    send(topic)
    topic.answered("1", None)
    assert topic.is_settled()
    assert (topic.differs, topic.refused, topic.owed) == ({}, {}, set())


def test_what_changes_is_all_that_differs() -> None:
    topic = everything(named(a="1", b="1", c="1"))
    send(topic)
    topic.answered("1", None)
    topic.catch_up(named(a="1", b="2", d="1"))
    assert topic.differs.keys() == {"b", "c", "d"}
    assert topic.due() == Due(("b", "d"), ("c",))


def test_what_comes_back_before_it_was_told_has_never_changed() -> None:
    first = named(a="1")
    topic = everything(first)
    send(topic)
    topic.answered("1", None)
    topic.catch_up(named(a="2"))
    topic.catch_up(first)
    assert topic.is_settled()


def test_what_comes_back_after_it_was_told_to_go_is_on_its_way_out_until_that_is_answered() -> None:
    first = named(a="1", b="1")
    topic = everything(first)
    send(topic)
    topic.answered("1", None)
    topic.catch_up(named(b="1"))
    send(topic, "2")
    assert not topic.is_removing_what_is_back(0.0)
    topic.catch_up(first)
    assert topic.is_removing_what_is_back(0.0)
    assert not topic.is_removing_what_is_back(ACK_SECONDS)
    topic.answered("2", None)
    assert not topic.is_removing_what_is_back(0.0)
    assert topic.due() == Due(("a",))


def test_an_answer_is_to_what_was_sent_whatever_has_changed_since() -> None:
    topic = everything(named(a="1"))
    send(topic)
    topic.catch_up(named(a="2"))
    topic.answered("1", None)
    assert topic.due() == Due(("a",))


def test_names_are_shared_with_what_is_published() -> None:
    resources = named(a="1")
    topic = Topic(CLUSTER)
    topic.catch_up(resources)
    topic.want(["".join(["", "a"])])
    (name,) = topic.interest.names
    assert name is resources["a"].name


def test_what_was_refused_with_what_is_wanted_no_more_is_tried_again() -> None:
    topic = Topic(CLUSTER)
    topic.catch_up(named(a="1", b="bad"))
    topic.want("ab")
    send(topic)
    topic.drop("b")
    topic.answered("1", "b is bad")
    assert topic.due() == Due(("a",))
    send(topic, "2")
    topic.answered("2", "a is bad too")
    assert topic.due() == Due()


def test_what_was_refused_together_is_tried_again_when_any_of_it_changes() -> None:
    topic = everything(named(a="1", b="bad", c="1"))
    send(topic)
    topic.answered("1", "b is bad")
    assert topic.due() == Due()
    topic.catch_up(named(a="1", b="bad", c="1", d="1"))
    assert topic.due() == Due(("d",))
    topic.catch_up(named(a="1", b="good", c="1", d="1"))
    assert topic.due() == Due(("a", "b", "c", "d"))


def test_what_is_unknown_is_sent_whatever_its_version() -> None:
    for held, due in (({"a": "1"}, Due()), ({"a": "0"}, Due(("a",))), ({"a": ""}, Due(("a",)))):
        topic = Topic(CLUSTER)
        topic.want_all()
        topic.begin(named(a="1"), held)
        assert topic.due() == due


def test_where_removals_cannot_be_told_nothing_is_left_to_say() -> None:
    topic = Topic(CLUSTER, tells_removals=False)
    topic.want_all()
    topic.catch_up(named(a="1"))
    send(topic)
    topic.answered("1", None)
    topic.catch_up(named())
    assert topic.is_settled()
    topic.catch_up(named(a="1"))
    assert topic.due() == Due(("a",))


def test_what_was_refused_with_something_that_has_gone_meanwhile_is_tried_again() -> None:
    for tells_removals in (True, False):
        topic = Topic(CLUSTER, tells_removals=tells_removals)
        topic.catch_up(named(a="1", b="bad"))
        topic.want(["a", "b"])
        send(topic)
        topic.catch_up(named(a="1"))
        topic.answered("1", "b is bad")
        assert topic.due().changed == ("a",)


def test_what_was_refused_with_something_that_is_given_up_is_tried_again() -> None:
    topic = Topic(CLUSTER)
    topic.catch_up(named(a="1", b="bad"))
    topic.want(["a", "b"])
    send(topic)
    topic.answered("1", "b is bad")
    topic.drop(["b"])
    assert topic.due() == Due(("a",))


def refused(topic: Topic, names: str) -> None:
    """They are asked for again, told in one response, and refused together."""
    topic.want(names)
    said = topic.due().only(set(names))
    assert said.changed == tuple(names)
    topic.sent(InFlight(names, "v", topic.wanted, said, 0.0))
    topic.answered(names, "one of them is bad")


def test_what_was_refused_by_itself_is_not_sent_again_with_what_was_refused_beside_it_later() -> (
    None
):
    topic = Topic(CLUSTER)
    topic.catch_up(named(a="bad", b="1", c="1"))
    refused(topic, "a")
    refused(topic, "abc")
    topic.drop("c")
    assert topic.due() == Due(("b",))
    topic.catch_up(named(a="2", b="1", c="1"))
    assert topic.due() == Due(("a", "b"))


def test_what_was_refused_beside_others_is_sent_again_with_any_of_them() -> None:
    topic = Topic(CLUSTER)
    topic.catch_up(named(a="1", b="bad", c="1"))
    refused(topic, "ab")
    refused(topic, "bc")
    refused(topic, "b")
    assert topic.due() == Due()
    topic.catch_up(named(a="1", b="2", c="1"))
    assert topic.due() == Due(("a", "b", "c"))


def test_an_answer_that_comes_late_takes_nothing_of_what_was_refused_since() -> None:
    topic = Topic(CLUSTER)
    topic.catch_up(named(a="1"))
    topic.want("a")
    send(topic)
    topic.catch_up(named(a="2"))
    refused(topic, "a")
    topic.answered("1", "bad before, too")
    assert topic.due() == Due()
    topic.catch_up(named(a="3"))
    assert topic.due() == Due(("a",))


def test_what_was_refused_in_too_many_responses_counts_as_refused_in_one() -> None:
    others = "bcdefghi"
    topic = Topic(CLUSTER)
    topic.catch_up(named(a="bad", **dict.fromkeys(others, "1")))
    for other in others:
        refused(topic, f"a{other}")
        refused(topic, f"a{other}")
        assert topic.due() == Due()
        assert len(topic.refused["a"].responses) <= MAX_REFUSALS
    topic.catch_up(named(a="2", **dict.fromkeys(others, "1")))
    assert topic.due() == Due(("a", *others))


def test_what_was_refused_together_may_be_much() -> None:
    """Each name costs the same: with all the others it would take minutes here."""
    names = [f"cluster-{number}" for number in range(5_000)]
    topic = Topic(CLUSTER)
    topic.catch_up(named(**dict.fromkeys(names, "bad")))
    topic.want(names)
    send(topic)
    topic.answered("1", "bad")
    assert topic.due() == Due()
    topic.catch_up(named(**dict.fromkeys(names, "1")))
    assert topic.due() == Due(tuple(names))
    topic.drop(names)
    assert topic.is_settled()
