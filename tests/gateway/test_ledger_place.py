"""URLs of clusters and sentinels."""

from __future__ import annotations

import pytest

from gateway.ledger_place import RedisForm, RedisUrl, read_redis_url, shown


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("redis://a/3", RedisUrl(RedisForm.ONE, (("a", 6379),), "3", 0, ())),
        (
            "redis+cluster://a:1,[::1]:2,[::2]",
            RedisUrl(RedisForm.CLUSTER, (("a", 1), ("::1", 2), ("::2", 6379)), "", 0, ()),
        ),
        (
            "rediss+sentinel://a,b:2/main/4?ssl_ca_certs=/ca.pem",
            RedisUrl(
                RedisForm.SENTINEL,
                (("a", 26379), ("b", 2)),
                "main",
                4,
                (("ssl_ca_certs", "/ca.pem"), ("ssl", True)),
            ),
        ),
    ],
)
def test_a_url_says_who_is_where(url: str, read: RedisUrl) -> None:
    assert read_redis_url(url) == read


def test_a_port_is_a_number() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        read_redis_url("redis+cluster://a:b")


def test_what_stands_behind_is_not_shown() -> None:
    assert shown("redis://a/3?x=y") == "redis://a/3"
