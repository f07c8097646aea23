"""Rules about providers that their own blocks cannot know."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding
from gateway.config.provider_meaning import credential
from gateway.config.written import Written
from gateway.credentials import PassThrough
from gateway.names import CREDENTIAL_HEADERS


def passed_keys_are_no_keys_of_ours(written: Written) -> Iterator[Finding]:
    """What is passed on to a provider must not be where clients put the gateway's own key."""
    config = written.config
    has_keys = config.identity.is_required or bool(config.identity.accepted_keys)
    if not has_keys and not any(route.auth == "key" for route in config.routes):
        return
    for name, block in config.llm.providers.items():
        passed = credential(block)
        if isinstance(passed, PassThrough) and passed.header in CREDENTIAL_HEADERS:
            yield Finding(
                ("llm", "providers", name, "auth"),
                f"passes on '{passed.header}', where clients put the gateway's own keys",
                "ask for the provider's key in another header: header: x-provider-key",
            )
