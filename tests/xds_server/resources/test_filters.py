"""The chain of a listener."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway import names
from gateway.external_authz import ExternalAuthz
from gateway.identity import Issuer
from tests.kit.gateways import golden_gateway
from xds_server.audience import Level
from xds_server.render import to_json
from xds_server.resources import filters
from xds_server.resources.ext_proc import RulesRead
from xds_server.resources.features import FEATURES
from xds_server.resources.filters import Parts, added, discovered, http_filters
from xds_server.resources.topology import Topology
from xds_server.snapshot import CLUSTER, SECRET

NEW = FEATURES[Level.V1_40]
LOGINS = golden_gateway("logins").identity.logins


def test_the_router_is_last_and_what_is_compressed_was_seen_before() -> None:
    assert [each["name"] for each in http_filters(NEW, Parts())] == [
        "dragoman.br",
        "dragoman.gzip",
        "dragoman.zstd",
        names.RULES_FILTER,
        names.EXT_PROC_FILTER,
        "envoy.filters.http.router",
    ]


def test_tokens_are_checked_before_anybody_is_asked_and_only_where_there_are_issuers() -> None:
    chain = [each["name"] for each in http_filters(NEW, Parts(checks_tokens=True))]
    assert chain[-4:-1] == [names.TOKENS_FILTER, names.RULES_FILTER, names.EXT_PROC_FILTER]


def test_logins_stand_before_the_check_of_tokens_and_their_cookies_end_behind_it() -> None:
    parts = Parts(
        checks_tokens=True, external=("door",), logins=("staff", "guests"), hides_cookies=True
    )
    chain = http_filters(NEW, parts)
    assert [each["name"] for each in chain][3:-3] == [
        names.LOGIN_GUARD_FILTER,
        names.login_filter("staff"),
        names.login_filter("guests"),
        names.TOKENS_FILTER,
        names.LOGIN_COOKIES_FILTER,
        names.external_filter("door"),
        names.EXTERNAL_TOLD_FILTER,
    ]
    off = {each["name"] for each in chain if each.get("disabled")}
    assert {names.LOGIN_GUARD_FILTER, names.login_filter("staff")} <= off
    assert not {names.TOKENS_FILTER, names.LOGIN_COOKIES_FILTER} & off


def test_where_tokens_are_kept_cookies_alone_are_taken_away() -> None:
    chain = [each["name"] for each in http_filters(NEW, Parts(hides_cookies=True))]
    assert chain[3:5] == [names.LOGIN_COOKIES_FILTER, names.RULES_FILTER]
    kept = tuple(replace(each, is_kept=True) for each in LOGINS)
    assert [each.name for each in filters.login_filters(kept, NEW)] == [names.LOGIN_COOKIES_FILTER]


def test_a_login_needs_whom_it_asks_and_its_secrets() -> None:
    made = {each.name: each for each in filters.login_filters(LOGINS, NEW)}
    assert made[names.login_filter("staff")].needs == (
        (CLUSTER, "login/staff"),
        (SECRET, "login/staff/client"),
        (SECRET, "login/staff/cookies"),
    )
    assert set(made) >= {names.LOGIN_GUARD_FILTER, names.LOGIN_COOKIES_FILTER}
    tokens = filters.token_filter((), LOGINS, False)
    assert tokens.needs == ((CLUSTER, "login/staff/jwks"),)


def test_envoy_counts_what_extproc_let_pass_and_tells_it_after_the_count() -> None:
    chain = [each["name"] for each in http_filters(NEW, Parts(counts_requests=True))]
    assert chain[-4:-1] == [
        names.COUNT_TELLING_FILTER,
        names.EXT_PROC_FILTER,
        names.COUNT_FILTER,
    ]


@pytest.mark.parametrize("checks_tokens", [True, False])
def test_what_changes_is_discovered(checks_tokens: bool) -> None:
    parts = Parts(checks_tokens, counts_requests=True, logins=("staff",) * checks_tokens)
    chain = http_filters(NEW, parts)
    found = tuple(each["name"] for each in chain if "config_discovery" in each)
    assert found == discovered(parts)


def test_the_check_of_tokens_needs_where_keys_are_fetched() -> None:
    fetched = Issuer("https://a", ("x",), jwks_url="https://a/keys")
    known = Issuer("https://b", ("x",), jwks='{"keys": []}')
    assert filters.token_filter((fetched, known), (), False).needs == ((CLUSTER, "jwks/https://a"),)


def test_what_is_discovered_needs_the_workers() -> None:
    topology = Topology(workers=("unix:/a",))
    found = filters.ext_proc_filter(topology, RulesRead(frozenset(), False), FEATURES[Level.V1_40])
    assert found.name == names.EXT_PROC_FILTER
    assert found.needs == ((CLUSTER, names.EXTPROC_CLUSTER),)
    assert to_json(found)["typed_config"]["grpc_service"]["envoy_grpc"] == {
        "cluster_name": names.EXTPROC_CLUSTER,
        "skip_envoy_headers": True,
    }


def test_services_are_asked_after_tokens_and_before_extproc_where_a_route_says_so() -> None:
    chain = http_filters(NEW, Parts(checks_tokens=True, external=("one", "two")))
    assert [each["name"] for each in chain[-7:-1]] == [
        names.TOKENS_FILTER,
        "dragoman.external/one",
        "dragoman.external/two",
        names.EXTERNAL_TOLD_FILTER,
        names.RULES_FILTER,  # rules read the headers that services say, too
        names.EXT_PROC_FILTER,
    ]
    off = [each.get("disabled", False) for each in chain[-7:-1]]
    assert off == [False, True, True, False, True, False]
    found = discovered(Parts(external=("one",)))
    assert found == ("dragoman.external/one", names.EXT_PROC_FILTER)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize(
    ("parts", "names_of_filters"),
    [
        (Parts(), ()),
        (Parts(checks_tokens=True), (names.TOKENS_FILTER,)),
        (Parts(counts_requests=True), (names.COUNT_TELLING_FILTER, names.COUNT_FILTER)),
        (Parts(limit_services=("one",)), (names.limit_service_filter("one"),)),
        (Parts(external=("one",)), (names.external_filter("one"), names.EXTERNAL_TOLD_FILTER)),
    ],
)
def test_what_not_every_chain_has_is_known(
    parts: Parts, names_of_filters: tuple[str, ...], level: Level
) -> None:
    assert added(FEATURES[level], parts) == names_of_filters


def test_older_envoys_answer_for_services_with_the_status_that_all_have() -> None:
    one = ExternalAuthz("one", "http://a", is_grpc=True, status_on_error=502)
    other = ExternalAuthz("two", "http://b", is_grpc=False, status_on_error=403)
    old = FEATURES[Level.V1_37]
    assert filters.status_of_errors((one,), old) == 502
    assert filters.status_of_errors((one, other), old) is None
    assert filters.status_of_errors((one,), NEW) is None


def test_preflights_are_answered_before_anybody_is_asked_for_a_token() -> None:
    chain = [each["name"] for each in http_filters(NEW, Parts(True, lets_pages_ask=True))]
    assert chain.index(names.CORS_FILTER) < chain.index(names.TOKENS_FILTER)
    assert names.CORS_FILTER not in {each["name"] for each in http_filters(NEW, Parts(True))}
