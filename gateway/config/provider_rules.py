"""Rules about providers that their own blocks cannot know."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding
from gateway.config.provider_auth import KeyAuthBlock
from gateway.config.provider_meaning import credential
from gateway.config.schema import Config
from gateway.config.vendors import VENDORS
from gateway.config.written import Written
from gateway.credentials import PassThrough
from gateway.names import CREDENTIAL_HEADERS


def passed_keys_are_no_keys_of_ours(written: Written) -> Iterator[Finding]:
    """What is passed on to a provider must not be where clients put the gateway's own key."""
    config = written.config
    identity = config.identity
    has_keys = identity.is_required or bool(identity.accepted_keys or identity.jwt)
    has_keys = has_keys or bool(identity.basic or identity.introspection)
    if not has_keys and not any(route.auth not in (None, "none") for route in config.routes):
        return
    for name, block in config.llm.providers.items():
        passed = credential(block)
        if isinstance(passed, PassThrough) and passed.header in CREDENTIAL_HEADERS:
            yield Finding(
                ("llm", "providers", name, "auth"),
                f"passes on '{passed.header}', where clients put the gateway's own keys",
                "ask for the provider's key in another header: header: x-provider-key",
            )


def vendors_without_a_key(config: Config) -> Iterator[Finding]:
    """Warns of requests that will reach a vendor without any credential."""
    for name, block in config.llm.providers.items():
        is_hosted = (VENDORS[block.type].url or "").startswith("https:")
        if not is_hosted or block.url is not None or block.pool:
            continue
        if block.auth is None and credential(block) is None:
            yield Finding(
                ("llm", "providers", name),
                "has neither key nor auth, so it is asked without a credential",
                "write a key, or auth: {type: none}",
            )


def prefixes_without_a_space(config: Config) -> Iterator[Finding]:
    """Warns of `prefix: Bearer`: the key follows at once."""
    for name, block in config.llm.providers.items():
        auth = block.auth
        if isinstance(auth, KeyAuthBlock) and auth.prefix and auth.prefix[-1].isalnum():
            yield Finding(
                ("llm", "providers", name, "auth", "prefix"),
                f"'{auth.prefix}' stands before the key without a space",
                f'write "{auth.prefix} " with its space, if there is to be one',
            )
