"""Whose refusals those are that Envoy makes on a route: for its access log, by metadata of routes,
so that they are named as they were when the request came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gateway import names
from gateway.model import Limit
from xds_server.resources.extension import Json


def refusing(
    *,
    external: str = "",
    counted: Sequence[Limit] = (),
    asked: Sequence[Limit] = (),
    login: str = "",
) -> dict[str, str]:
    """By `response.code_details`. `external`: the service that is asked; `counted`: the limits that
    Envoy counts, `asked`: those of services; `login`: where people log in."""
    found = {names.LOGIN_REQUIRED: login} if login else {}
    if external:
        for details in (names.EXTERNAL_DENIED, names.EXTERNAL_FAILED, names.NOT_ASKED):
            found[details] = external
    if counted:
        found[names.ENVOYS_LIMITED] = _all(counted)
        found |= {f"{names.ENVOYS_LIMITED}/{amount}": name for amount, name in _alone(counted)}
    if asked:
        found[names.SERVICE_LIMITED] = found[names.SERVICE_FAILED] = _all(asked)
    return found


def metadata(reasons: dict[str, str], by: dict[str, str]) -> Json:
    """A route's, or nothing. `reasons`: those of rules."""
    told: Json = {names.RULES_NAMESPACE: reasons} if reasons else {}
    if by:
        told[names.REFUSALS_NAMESPACE] = {names.REFUSING: by}
    return {"metadata": {"filter_metadata": told}} if told else {}


def _all(limits: Sequence[Limit]) -> str:
    return ", ".join(dict.fromkeys(each.name for each in limits))


def _alone(limits: Sequence[Limit]) -> list[tuple[int, str]]:
    """Those of several that let through as many as no other: that is what Envoy tells of one."""
    rated = [(each.requests.amount, each.name) for each in limits if each.requests is not None]
    often = Counter(amount for amount, _ in rated)
    return [(amount, name) for amount, name in rated if len(rated) > 1 and often[amount] == 1]
