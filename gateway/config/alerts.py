"""Who is told that much of a budget is spent."""

from __future__ import annotations

from gateway.config.block import Block
from gateway.config.remote_guards import SigningSecret
from gateway.config.urls import Url
from gateway.model import AlertsTo


class AlertWebhookBlock(Block):
    """A service of yours, which gets JSON by POST; see docs/budgets.md."""

    url: Url
    """Where it is. The control plane asks it, and follows no redirects."""
    secret: SigningSecret | None = None
    """What requests are signed with, as Standard Webhooks has it: `whsec_` and base64 of 24 to 64
    bytes, best as `${VARIABLE}`. Without it, they are not signed."""


class AlertsBlock(Block):
    """Who is told that much of a budget is spent."""

    webhook: AlertWebhookBlock | None = None
    """Gets what budgets' `alerts` say."""

    @property
    def meaning(self) -> AlertsTo | None:
        """Where alerts go; None: nowhere."""
        hook = self.webhook
        if hook is None:
            return None
        secret = hook.secret.get_secret_value() if hook.secret is not None else ""
        return AlertsTo(hook.url, secret.removeprefix("whsec_"))
