"""The client's side of a subscription, in both variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import envoy_api
import pytest
from envoy_api.discovery import Variant
from envoy_api.subscriber import WRAPPER, Garbage, News, Subscriber

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
CONFIGURATION = "type.googleapis.com/dragoman.v1.Configuration"
NODE = envoy_api.message("envoy.config.core.v3.Node")(id="me")


def cluster(name: str, seconds: int = 1) -> Any:
    return envoy_api.message("envoy.config.cluster.v3.Cluster")(
        name=name, connect_timeout={"seconds": seconds}
    )


def delta(
    nonce: str, resources: Mapping[str, tuple[str, Any]], removed: tuple[str, ...] = ()
) -> Any:
    """Name → version and message; no message is a heartbeat."""
    response = envoy_api.message(Variant.DELTA.response)(
        type_url=CLUSTER, nonce=nonce, removed_resources=removed
    )
    for name, (version, message) in resources.items():
        packed = None if message is None else envoy_api.pack(message)
        response.resources.add(name=name, version=version, resource=packed)
    return response


def state(nonce: str, version: str, *resources: Any) -> Any:
    return envoy_api.message(Variant.SOTW.response)(
        type_url=CLUSTER,
        nonce=nonce,
        version_info=version,
        resources=[envoy_api.pack(each) for each in resources],
    )


def take(subscriber: Subscriber, response: Any) -> News:
    news = subscriber.news(response)
    subscriber.accept(response, news)
    return news


def updated(news: News) -> list[str]:
    return [item.name for item in news.updated]


def test_delta_asks_for_names_or_for_everything() -> None:
    named = Subscriber(Variant.DELTA, CLUSTER, ["a"], NODE).hello()
    assert (named.node.id, named.type_url) == ("me", CLUSTER)
    assert list(named.resource_names_subscribe) == ["a"]
    everything = Subscriber(Variant.DELTA, CLUSTER, [], NODE).hello()
    assert list(everything.resource_names_subscribe) == ["*"]


def test_delta_reconnects_with_what_it_holds() -> None:
    subscriber = Subscriber(Variant.DELTA, CLUSTER, [], NODE)
    resources = {"a": ("1", cluster("a")), "b": ("1", cluster("b"))}
    assert updated(take(subscriber, delta("1", resources))) == ["a", "b"]
    assert take(subscriber, delta("2", {}, removed=("b",))) == News(removed=("b",))
    assert dict(subscriber.hello().initial_resource_versions) == {"a": "1"}


def test_delta_answers_with_the_nonce() -> None:
    subscriber = Subscriber(Variant.DELTA, CLUSTER, [], NODE)
    response = delta("7", {"a": ("1", cluster("a"))})
    accepted = subscriber.accept(response, subscriber.news(response))
    assert accepted.response_nonce == "7"
    assert not accepted.HasField("error_detail")
    assert not accepted.HasField("node")
    rejected = subscriber.reject(response, "cannot")
    assert (rejected.response_nonce, rejected.error_detail.message) == ("7", "cannot")


def test_what_was_rejected_is_not_held() -> None:
    subscriber = Subscriber(Variant.DELTA, CLUSTER, [], NODE)
    response = delta("1", {"a": ("1", cluster("a"))})
    subscriber.news(response)
    subscriber.reject(response, "cannot")
    assert subscriber.held == {}


def test_a_heartbeat_is_no_news() -> None:
    subscriber = Subscriber(Variant.DELTA, CLUSTER, [], NODE)
    take(subscriber, delta("1", {"a": ("1", cluster("a"))}))
    assert take(subscriber, delta("2", {"a": ("1", None)})) == News()
    assert subscriber.held == {"a": "1"}


def test_state_of_the_world_repeats_its_names_and_its_version() -> None:
    subscriber = Subscriber(Variant.SOTW, CLUSTER, ["a"], NODE)
    hello = subscriber.hello()
    assert (hello.node.id, list(hello.resource_names), hello.version_info) == ("me", ["a"], "")
    response = state("1", "v1", cluster("a"))
    accepted = subscriber.accept(response, subscriber.news(response))
    assert (accepted.response_nonce, accepted.version_info) == ("1", "v1")
    assert list(accepted.resource_names) == ["a"]
    rejected = subscriber.reject(state("2", "v2", cluster("a", 2)), "cannot")
    assert (rejected.response_nonce, rejected.version_info) == ("2", "v1")
    assert (subscriber.hello().version_info, subscriber.hello().response_nonce) == ("v1", "")


def test_state_of_the_world_tells_what_changed_and_what_is_gone() -> None:
    subscriber = Subscriber(Variant.SOTW, CLUSTER, [], NODE)
    take(subscriber, state("1", "v1", cluster("a"), cluster("b")))
    news = take(subscriber, state("2", "v2", cluster("a"), cluster("c")))
    assert (updated(news), news.removed) == (["c"], ("b",))


def test_a_name_that_a_full_state_leaves_out_does_not_exist() -> None:
    subscriber = Subscriber(Variant.SOTW, CLUSTER, ["a", "b"], NODE)
    assert subscriber.news(state("1", "v1", cluster("a"))).removed == ("b",)


def test_what_a_partial_state_leaves_out_is_still_there() -> None:
    subscriber = Subscriber(Variant.SOTW, ENDPOINTS, ["a", "b"], NODE)
    message = envoy_api.message("envoy.config.endpoint.v3.ClusterLoadAssignment")
    response = envoy_api.message(Variant.SOTW.response)(
        type_url=ENDPOINTS, resources=[envoy_api.pack(message(cluster_name="a"))]
    )
    news = take(subscriber, response)
    assert (updated(news), news.removed) == (["a"], ())


def test_a_wrapped_resource_has_its_own_name_and_version() -> None:
    subscriber = Subscriber(Variant.SOTW, CONFIGURATION, ["dragoman"], NODE)
    inner = envoy_api.message("dragoman.v1.Configuration")(version="v", yaml="{}")
    wrapper = envoy_api.message("envoy.service.discovery.v3.Resource")(
        name="dragoman", version="9", resource=envoy_api.pack(inner)
    )
    response = envoy_api.message(Variant.SOTW.response)(resources=[envoy_api.pack(wrapper)])
    assert response.resources[0].type_url == WRAPPER
    (item,) = take(subscriber, response).updated
    assert (item.name, item.version) == ("dragoman", "9")


def test_a_resource_without_a_name_is_the_one_that_was_asked_for() -> None:
    inner = envoy_api.message("dragoman.v1.Configuration")(version="v", yaml="{}")
    response = envoy_api.message(Variant.SOTW.response)(resources=[envoy_api.pack(inner)])
    (item,) = Subscriber(Variant.SOTW, CONFIGURATION, ["x"], NODE).news(response).updated
    assert item.name == "x"
    with pytest.raises(Garbage, match="without a name"):
        Subscriber(Variant.SOTW, CONFIGURATION, [], NODE).news(response)


@pytest.mark.parametrize("variant", list(Variant))
def test_another_type_is_garbage(variant: Variant) -> None:
    subscriber = Subscriber(variant, ENDPOINTS, [], NODE)
    sent = delta("1", {"a": ("1", cluster("a"))})
    response = sent if variant is Variant.DELTA else state("1", "v", cluster("a"))
    with pytest.raises(Garbage, match=r"Cluster for .*ClusterLoadAssignment"):
        subscriber.news(response)


def test_speaking_the_other_variant_asks_anew() -> None:
    subscriber = Subscriber(Variant.DELTA, CLUSTER, [], NODE)
    take(subscriber, delta("1", {"a": ("1", cluster("a"))}))
    subscriber.speak(Variant.SOTW)
    hello = subscriber.hello()
    assert (hello.DESCRIPTOR.full_name, hello.version_info) == (Variant.SOTW.request, "")
