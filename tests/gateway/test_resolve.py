from __future__ import annotations

from gateway.catalog import catalog
from gateway.credentials import StaticKey
from gateway.model import (
    Endpoint,
    Gateway,
    Identity,
    Listener,
    Model,
    Price,
    Target,
)
from gateway.resolve import Resolver, resolve
from tests.gateway.config.loading import loaded, meant


def test_nothing_written_is_a_gateway_that_serves_nothing() -> None:
    assert meant("gateways:") == Gateway(
        listeners=(Listener("default", "0.0.0.0", 8080, 32 * 2**20),),
        identity=Identity(),
        providers=(),
        models=(),
        rules=(),
        guards=(),
        budgets=(),
        prices=tuple(catalog().items()),
        routes=(),
        admin=Endpoint("127.0.0.1", 15000),
    )


def test_models_come_exact_first_then_the_longest_pattern() -> None:
    gateway = meant("""
        llm:
          providers: {p: {type: openai}}
          models:
            "*": {provider: p}
            "p/*": {provider: p}
            b: p/x
            "a/*": {provider: p, model: "y-*"}
            a: {provider: p, listed: false}
        """)
    assert gateway.models == (
        Model("b", ((Target("p", "x"),),)),
        Model("a", ((Target("p", "a"),),), is_listed=False),
        Model("a/*", ((Target("p", "y-*"),),), is_listed=False),
        Model("p/*", ((Target("p", "*"),),), is_listed=False),
        Model("*", ((Target("p", "*"),),), is_listed=False),
    )


def test_prices_are_the_catalog_under_the_overrides() -> None:
    prices = dict(meant("llm: {prices: {p/m: {input: 1, output: 2}}}").prices)
    assert prices.pop("p/m") == Price(10**9, 2 * 10**9, 10**9, 10**9)
    assert prices == dict(catalog())


def test_a_providers_key_is_not_in_its_text() -> None:
    text = "llm: {providers: {p: {type: openai, key: hunter2}}}"
    (provider,) = meant(text).providers
    assert provider.credential == StaticKey("authorization", "Bearer ", "hunter2")
    assert "hunter2" not in repr(provider)


def test_a_route_that_has_not_changed_is_not_made_again() -> None:
    text = "gateways: {g: {port: 1}}\nroutes: [{name: a, backend: 'http://a'}]\n"
    config, resolver = loaded(text), Resolver()
    (first,) = resolver.resolve(config).routes
    assert resolver.resolve(config).routes[0] is first
    ruled = loaded(f"{text}authorize: [{{name: x, allow: 'true'}}]\n")
    same = ruled.model_copy(update={"routes": config.routes})
    (other,) = resolver.resolve(same).routes
    assert (other.needs_identity, first.needs_identity) == (True, False)
    assert other == resolve(same).routes[0]
