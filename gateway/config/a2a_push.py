"""Push notifications: whom agents may have called back through the gateway."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, WithJsonSchema

from gateway.a2a import Push
from gateway.config.block import Block, refusal
from gateway.config.mcp import SessionKey
from gateway.config.referenced import TextFile
from gateway.config.scalars import Count, Duration, Flag, Retries, Text
from gateway.config.urls import Origin

_LONGEST_TIMEOUT = 60.0
_SECONDS_PER_DAY = 86400


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        raise refusal("must be a network", "such as 10.0.0.0/8 or fd00::/8") from None


def _timeout(value: float) -> float:
    if not 0 < value <= _LONGEST_TIMEOUT:
        raise refusal(f"must be more than 0 and at most {_LONGEST_TIMEOUT:.0f}s")
    return value


Network: TypeAlias = Annotated[
    str, AfterValidator(_network), WithJsonSchema({"type": "string", "format": "cidr"})
]
Timeout: TypeAlias = Annotated[Duration, AfterValidator(_timeout)]


class A2aPushBlock(Block):
    """Push notifications. Agents are told an address of the gateway in the place of a client's
    webhook; the gateway calls the webhook, as the client wants to be called. Without this block,
    what asks for them is refused."""

    url: Origin | None = None
    """What agents call the gateway: `http://gateway.internal:8080`. Default: that of `a2a`, one of
    both must be there."""
    hosts: tuple[Text, ...] = ()
    """Globs over the hosts that webhooks may be at: `*.example.com`. Default: any whose addresses
    are public."""
    networks: tuple[Network, ...] = ()
    """Networks that are not public, in which webhooks may be all the same: `10.20.0.0/16`. Where
    clouds tell machines who they are, such as 169.254.169.254, is never called."""
    http: Flag = False
    """Whether webhooks may be without TLS."""
    token: Literal["required", "optional"] = "required"
    """Whether an agent must show the token that it is given with the address, as the protocol has
    it (`X-A2A-Notification-Token`). One that is wrong is refused in any case."""
    sign: Flag = False
    """Whether notifications bear a JWT that is signed with the key of `a2a.signing`, as
    `Authorization: Bearer …`, where the client has said no credentials."""
    timeout: Timeout = 10.0
    """How long a webhook may take to answer, each time; at most `60s`."""
    retries: Retries = 2
    """How often it is called again when it gives no answer, or 429, 502, 503 or 504."""
    lifetime_days: Count = 30
    """For how many days after a client has asked for it a webhook is called."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that the certificates of webhooks are checked against, instead
    of the system's."""
    secrets: tuple[SessionKey, ...] = ()
    """What the addresses are sealed with that agents are told (AES-256-GCM), each of at least 32
    characters, best as `${VARIABLE}`: the first seals, and all of them open. Machines need the same
    ones. Default: one is made, and kept in the state directory."""

    def meaning(self, url: str) -> Push:
        """What is meant. `url`: what clients call the gateway."""
        return Push(
            self.url or url,
            tuple(each.lower() for each in self.hosts),
            self.networks,
            self.http,
            self.token == "required",
            self.sign,
            self.timeout,
            self.retries,
            self.lifetime_days * _SECONDS_PER_DAY,
            None if self.ca is None else self.ca.text,
            tuple(each.get_secret_value() for each in self.secrets),
        )
