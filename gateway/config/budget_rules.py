"""Rules about budgets: where they lead when little is left, and who is told."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding, Path
from gateway.config.model_rules import targets
from gateway.config.provider_meaning import offers
from gateway.config.written import Written
from gateway.operations import Operation
from gateway.problem import did_you_mean
from gateway.serving import serving


def low_budgets_lead_somewhere(written: Written) -> Iterator[Finding]:
    """To a model that clients could ask for themselves."""
    models = written.config.llm.models
    known = {name for name, block in models.items() if "*" not in name and not block.internal}
    for index, budget in enumerate(written.config.budgets):
        low = budget.when_low
        if low is not None and low.route_to not in known:
            path: Path = ("budgets", index, "when_low", "route_to")
            if low.route_to in models:
                reason = "is internal" if models[low.route_to].internal else "has a '*'"
                yield Finding(path, f"the model '{low.route_to}' {reason}, so nobody asks for it")
            else:
                hint = did_you_mean(low.route_to, known)
                yield Finding(path, f"no model '{low.route_to}'", hint)


def low_budgets_can_be_followed(written: Written) -> Iterator[Finding]:
    """What is asked of the one model can be asked of the other."""
    for index, budget in enumerate(written.config.budgets):
        low, model = budget.when_low, budget.scope.model
        if low is None or model is None or model == low.route_to:
            continue
        asked, instead = _offered(model, written), _offered(low.route_to, written)
        if not asked or not instead:
            continue  # it is said elsewhere, or the model is not one
        if not any(serving(instead, each, is_stream=False) for each in asked):
            yield Finding(
                ("budgets", index, "when_low", "route_to"),
                f"nothing that '{model}' is asked for is offered by a provider of '{low.route_to}'",
                "no call could go there: leave when_low out, or name another model",
            )


def _offered(model: str, written: Written) -> frozenset[Operation]:
    """By some provider of a model that clients could ask for."""
    providers = written.config.llm.providers
    return frozenset(
        operation
        for target in targets(model, written)
        if target.provider in providers
        for operation, _ in offers(providers[target.provider])
    )


def alerts_reach_somebody(written: Written) -> Iterator[Finding]:
    """Whoever writes thresholds wants to be told."""
    if written.config.alerts.webhook is None:
        for index, budget in enumerate(written.config.budgets):
            if budget.alerts:
                path: Path = ("budgets", index, "alerts")
                hint = "add alerts: {webhook: {url: …}} beside budgets"
                yield Finding(path, "nobody is told of these", hint)
