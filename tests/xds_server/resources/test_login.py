"""What Envoy is told of logins."""

from __future__ import annotations

import re
from dataclasses import replace

from gateway import names
from gateway.identity import (
    ClientAuth,
    Issuer,
    Login,
    LoginCookies,
    LoginEndpoints,
    LoginToken,
)
from xds_server.audience import Level
from xds_server.resources.extension import Json
from xds_server.resources.features import FEATURES, Features
from xds_server.resources.login import (
    asked,
    cookies_filter,
    guard_filter,
    left_alone,
    login_filter,
    token_cookie,
    token_upstream,
)

STAFF = Login(
    "staff",
    Issuer("https://idp.example", ("us",), "https://idp.example/k"),
    LoginEndpoints("https://idp.example/a?prompt=x", "https://idp.example:8443/t", ca="PEM"),
    "us",
    "hush",
    ClientAuth.BASIC,
    ("openid", "email"),
    "/in",
    "/out",
    LoginCookies("__Host-staff-"),
)


NEW, OLD = FEATURES[Level.V1_40], FEATURES[Level.V1_37]


def config(login: Login = STAFF, features: Features = NEW) -> Json:
    found: Json = login_filter(login, features)["config"]
    return found


def test_browsers_are_sent_with_what_the_login_says() -> None:
    found = config()
    assert found["authorization_endpoint"] == "https://idp.example/a?prompt=x"
    assert found["auth_scopes"] == ["openid", "email"]
    assert found["redirect_uri"] == "%REQ(:scheme)%://%REQ(:authority)%/in"
    assert found["redirect_path_matcher"] == {"path": {"exact": "/in"}}
    assert found["signout_path"] == {"path": {"exact": "/out"}}
    assert found["token_endpoint"] == {
        "uri": "https://idp.example:8443/t",
        "cluster": "login/staff",
        "timeout": "5s",
    }
    assert "end_session_endpoint" not in found
    told = config(replace(STAFF, url="https://app.example", client_auth=ClientAuth.POST))
    assert told["redirect_uri"] == "https://app.example/in"
    assert (found["auth_type"], told["auth_type"]) == ("BASIC_AUTH", "URL_ENCODED_BODY")


def test_secrets_come_by_sds_and_stand_nowhere_else() -> None:
    credentials = config()["credentials"]
    assert credentials["token_secret"]["name"] == names.login_client_secret("staff")
    assert credentials["hmac_secret"]["name"] == names.login_cookie_secret("staff")
    assert "hush" not in str(config())


def test_all_cookies_have_names_of_the_login_and_outlive_the_way_back() -> None:
    found = config()
    cookies = found["credentials"]["cookie_names"]
    assert len(set(cookies.values())) == 7
    assert all(each.startswith("__Host-staff-") for each in cookies.values())
    assert "cookie_domain" not in found["credentials"]
    assert {each["same_site"] for each in found["cookie_configs"].values()} == {"LAX"}
    assert {each.removesuffix("_cookie_config") for each in found["cookie_configs"]} == set(cookies)
    wide = config(replace(STAFF, cookies=LoginCookies("__Secure-s-", "a.example", True)))
    assert wide["credentials"]["cookie_domain"] == "a.example"
    assert {each["same_site"] for each in wide["cookie_configs"].values()} == {"NONE"}


def test_an_access_token_that_nobody_reads_is_not_kept() -> None:
    assert config()["disable_access_token_set_cookie"] is True
    for login in (
        replace(STAFF, token=LoginToken.ACCESS),
        replace(STAFF, forwarded=LoginToken.ACCESS),
    ):
        assert config(login)["disable_access_token_set_cookie"] is False
    assert token_cookie(STAFF, LoginToken.ID) == "__Host-staff-id"
    assert token_cookie(STAFF, LoginToken.ACCESS) == "__Host-staff-access"


def test_logins_are_renewed_where_envoy_signs_for_the_host_that_was_asked_for() -> None:
    wide = replace(STAFF, cookies=LoginCookies("__Secure-s-", "a.example"))
    for login in (STAFF, wide):
        assert config(login)["use_refresh_token"] is True
        assert config(login, OLD)["use_refresh_token"] is (login is wide)
        assert config(replace(login, is_refreshed=False))["use_refresh_token"] is False


def test_large_tokens_are_in_several_cookies_where_envoy_can_do_that() -> None:
    limits = config()["token_cookie_chunking"]
    longest = max(map(len, config()["credentials"]["cookie_names"].values()))
    assert limits["max_cookie_size"] + longest + len("_chunks=") < 4096
    assert "token_cookie_chunking" not in config(STAFF, OLD)


def test_the_token_of_envoys_own_is_never_put_into_a_header() -> None:
    for login in (STAFF, replace(STAFF, forwarded=LoginToken.ACCESS)):
        assert "forward_bearer_token" not in config(login)


def test_what_brings_a_credential_passes_and_has_its_login_taken_away() -> None:
    passes = [each["name"] for each in config()["pass_through_matcher"]]
    assert passes == list(names.CREDENTIAL_HEADERS)
    script = guard_filter([STAFF])["default_source_code"]["inline_string"]
    credentials = re.search(r"local credentials = {(.*)}", script)
    assert credentials is not None
    assert credentials[1] == ", ".join(f'"{each}"' for each in names.CREDENTIAL_HEADERS)
    assert 'local prefixes = {"__Host-staff-"}' in script


def test_a_login_without_the_token_that_counts_is_none() -> None:
    script = guard_filter([STAFF, replace(STAFF, token=LoginToken.ACCESS)])
    source = script["default_source_code"]["inline_string"]
    assert 'proof = "__Host-staff-hmac"' in source
    assert 'refresh = "__Host-staff-refresh"' in source
    assert 'token = "__Host-staff-id"}, {' in source
    assert 'token = "__Host-staff-access"}}' in source


def test_a_route_has_all_filters_and_says_what_travels() -> None:
    found = asked(STAFF, "login/staff")
    assert set(found) == {
        names.LOGIN_GUARD_FILTER,
        names.login_filter("staff"),
        names.TOKENS_FILTER,
    }
    assert found[names.TOKENS_FILTER]["requirement_name"] == "login/staff"
    told = asked(replace(STAFF, forwarded=LoginToken.ID), "login/staff")
    context = told[names.LOGIN_COOKIES_FILTER]["filter_context"]
    assert context == {"forwarded": "__Host-staff-id"}


def test_cookies_of_all_logins_are_taken_away() -> None:
    other = replace(STAFF, name="b", cookies=LoginCookies("__Host-b-"))
    script = cookies_filter([STAFF, other])["default_source_code"]["inline_string"]
    assert 'local prefixes = {"__Host-staff-", "__Host-b-"}' in script


def test_the_token_endpoint_is_checked_against_its_own_authorities() -> None:
    found = token_upstream(STAFF)
    assert (found.authority, found.is_tls, found.ca) == ("idp.example:8443", True, "PEM")


def test_where_tokens_are_kept_extproc_is_told_the_cookie_alone() -> None:
    kept = replace(STAFF, is_kept=True, back_channel_path="/gone")
    filters = asked(kept, "x")
    assert list(filters) == [names.LOGIN_COOKIES_FILTER]
    context = filters[names.LOGIN_COOKIES_FILTER]["filter_context"]
    assert context == {"session": "__Host-staff-session"}
    script = cookies_filter((kept,))["default_source_code"]["inline_string"]
    assert f'headers:remove("{names.LOGIN_SESSION_HEADER}")' in script
    assert left_alone() == {
        names.LOGIN_COOKIES_FILTER: {
            "@type": context_type(filters),
            "disabled": True,
        }
    }


def context_type(filters: Json) -> str:
    found: str = filters[names.LOGIN_COOKIES_FILTER]["@type"]
    return found
