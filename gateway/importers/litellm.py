"""LiteLLM's `config.yaml` → our YAML, and what became of each key.

The keys and how they fare are in `litellm_keys`, `litellm_model_keys`, `litellm_settings_keys`
and `litellm_general_keys`.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.imported import Imported, Mapped
from gateway.importers.emit import emit
from gateway.importers.litellm_deployments import Deployments, read_deployments
from gateway.importers.litellm_failover import read_health, read_lossiness
from gateway.importers.litellm_general_keys import GENERAL
from gateway.importers.litellm_guards import Guards, read_guards
from gateway.importers.litellm_keys import TOP, answer, answer_rest, is_off
from gateway.importers.litellm_models import (
    Models,
    add_aliases,
    groups_of,
    read_aliases,
    read_default_fallbacks,
    read_fallbacks,
    read_long_fallbacks,
)
from gateway.importers.litellm_routes import Door, read_routes
from gateway.importers.litellm_settings import (
    Server,
    listen_on_this_machine,
    read_budget,
    read_first_byte,
    read_general,
    read_silence,
)
from gateway.importers.litellm_settings_keys import LITELLM, ROUTER, STRATEGIES
from gateway.importers.litellm_tls import answer_verify, file_of
from gateway.importers.litellm_values import can_be_default, has_value, rewriting
from gateway.importers.walk import Node, Walk, walk
from gateway.problem import Problem

DIALECT = "litellm"
_HEADER = ("Made from a configuration of LiteLLM. What was not taken over: `dragoman import`.",)
_NO_FALLBACKS = "max_fallbacks is 0: no other model is tried"
_GUARDS_AMONG_CALLBACKS = frozenset(
    {
        "presidio",
        "lakera_prompt_injection",
        "llamaguard_moderations",
        "llmguard_moderations",
        "hide_secrets",
        "detect_prompt_injection",
        "blocked_user_check",
        "banned_keywords",
        "openai_moderations",
        "google_text_moderation",
        "azure_content_safety",
        "aporia_prompt_injection",
        "pangea",
        "aim",
    }
)


def convert(text: str, file: str) -> Imported | tuple[Problem, ...]:
    """Our YAML and the findings, or everything that is wrong with their file."""
    environment = _environment(walk(text, file).root)
    found = walk(text, file, rewriting(environment))
    if not found.problems:
        conversion = _Conversion(found, environment)
        ours = emit(conversion.run(), _HEADER)
        if not found.problems:
            conversion.answer_environment(ours)
            return Imported(DIALECT, ours, (*conversion.said, *found.finish()))
    return found.problems


def _environment(top: Node) -> Mapping[str, str]:
    """`environment_variables` that can be defaults: LiteLLM sets them before all else."""
    values = top.take("environment_variables").value
    entries = values.items() if isinstance(values, dict) else ()
    found = {str(key): str(value) for key, value in entries if has_value(value)}
    return {key: value for key, value in found.items() if can_be_default(value)}


class _Conversion:
    """One file."""

    def __init__(self, found: Walk, environment: Mapping[str, str]) -> None:
        self.walk = found
        self.top = found.root
        self.environment = environment
        self.litellm = self.top.take("litellm_settings")
        self.router = self.top.take("router_settings")
        self.general = self.top.take("general_settings")
        self.server = Server()
        self.guards = Guards()
        self.said: tuple[Mapped, ...] = ()
        """Of keys that are not written."""

    def run(self) -> dict[str, object]:
        """The configuration of ours."""
        for block in (self.litellm, self.router, self.general):
            block.block()
        llm = self.models()
        read_budget(self.litellm, self.server)
        read_general(self.general, self.server, self.environment)
        if llm and self.server.paths:
            llm["paths"] = self.server.paths
        self.include()
        read_guards(self.top.take("guardrails"), self.guards)
        self.older_guards()
        rules = [*self.server.rules, *self.guards.rules]
        door = Door(bool(self.server.keys) or self.server.is_required, bool(rules))
        routes = read_routes(self.general, door)
        self.said = listen_on_this_machine(self.general, self.server)
        answer_rest(self.litellm, LITELLM)
        answer_rest(self.router, ROUTER)
        answer_rest(self.general, GENERAL, unknown_is_security=True)
        answer_rest(self.top, TOP, unknown_is_security=True)
        return {
            "gateways": {"default": self.server.gateway()},
            "identity": self.server.identity(),
            "llm": llm,
            "authorize": [*rules, *routes.rules],
            "guardrails": self.guards.blocks,
            "budgets": self.server.budgets,
            "routes": routes.blocks,
        }

    def models(self) -> dict[str, object]:
        credentials = self.credentials()
        silence = read_silence(self.router, self.litellm)
        verify = self.litellm.take("ssl_verify")
        first_byte = read_first_byte(self.router)
        into = Deployments(credentials, self.environment, silence, file_of(verify), first_byte)
        groups = groups_of(read_deployments(self.top.take("model_list"), into))
        is_used = any(each.ca == into.ca for each in into.providers.values())
        answer_verify(verify, "llm.providers" if is_used else "")
        alias = self.router.take("model_group_alias")
        models = Models(groups, read_aliases(alias), self.strategy())
        fallbacks: dict[str, list[str]] = {}
        otherwise: list[str] = []
        for settings in (self.router, self.litellm):  # what is read first counts
            fallbacks |= read_fallbacks(settings.take("fallbacks"), models, fallbacks.keys())
            default = settings.take("default_fallbacks")
            otherwise += read_default_fallbacks(default, models, is_known=bool(otherwise))
        otherwise = fallbacks.pop("*", otherwise)
        for settings in (self.router, self.litellm):
            node = settings.take("context_window_fallbacks")
            for name, behind in read_long_fallbacks(node, models).items():
                if name == "*":
                    otherwise = [*otherwise, *behind]
                else:
                    fallbacks[name] = [*fallbacks.get(name, otherwise), *behind]
        if self.has_no_fallbacks():
            fallbacks, otherwise = {}, []
        models.build(fallbacks, otherwise)
        add_aliases(alias, models)
        for node in credentials.values():
            for _, value in node.fields():
                if not value.is_answered:
                    value.unsupported("no deployment that is taken over reads it")
        both = (self.router, self.litellm)
        health, lossiness = read_health(both), read_lossiness(both)
        blocks: dict[str, object] = {
            "providers": {name: each.block() for name, each in into.providers.items()},
            "models": models.ordered(),
            "prices": into.prices,
            "failover": {"health": health} if health else {},
            "lossy": lossiness,
        }
        return {name: block for name, block in blocks.items() if block}

    def has_no_fallbacks(self) -> bool:
        """Whether `max_fallbacks` switches them off."""
        places = [settings.take("max_fallbacks") for settings in (self.router, self.litellm)]
        (place, *_) = [each for each in places if not each.is_empty] or places
        if place.value != 0:
            return False
        place.exact("llm.models", _NO_FALLBACKS)
        for settings in (self.router, self.litellm):
            for key in ("fallbacks", "default_fallbacks", "context_window_fallbacks"):
                settings.take(key).forget()
                settings.take(key).unsupported(_NO_FALLBACKS)
        return True

    def credentials(self) -> dict[str, Node]:
        """`credential_list` by name: the values of each."""
        found: dict[str, Node] = {}
        for item in self.top.take("credential_list").items():
            if not item.block():
                continue
            name = item.take("credential_name").text()
            values = item.take("credential_values")
            item.take("credential_name").exact("llm.providers")
            item.take("credential_info").unsupported("credentials are not described here")
            if name and values.block():
                found[name] = values
        return found

    def strategy(self) -> str:
        """How one of several equal deployments is chosen."""
        node = self.router.take("routing_strategy")
        strategy = node.text() or ""
        if strategy == "simple-shuffle":
            node.exact("llm.models")
        elif strategy in STRATEGIES:
            way, note = STRATEGIES[strategy]
            node.different(f"llm.models.NAME.{way}", note)
            return way
        else:
            node.different("llm.models", "requests are shared out by the weights of deployments")
        return "weighted"

    def include(self) -> None:
        """What is in another file may be what keeps strangers out."""
        node = self.top.take("include")
        if node.is_empty:
            return
        row = TOP.find("include")
        assert row is not None
        answer(node, row)
        self.server.is_required = self.server.is_required or not self.server.keys

    def older_guards(self) -> None:
        """Guards that are written as settings or among the callbacks."""
        row = LITELLM.find("guardrails")
        assert row is not None
        for key in ("guardrails", "output_parse_pii"):
            node = self.litellm.take(key)
            if not is_off(node.value) and key == "guardrails":
                self.guards.refuse_all("older")
            answer(node, row)
        node = self.litellm.take("callbacks")
        callbacks = [node.value] if isinstance(node.value, str) else list(node.texts())
        missing = [each for each in callbacks if each in _GUARDS_AMONG_CALLBACKS]
        for name in missing:
            self.guards.refuse_all(str(name))
        if missing:
            node.different(
                "authorize",
                f"there are no guards like {', '.join(map(str, missing))} here: a rule refuses"
                " every request until you decide; calls are not reported to other services",
                is_security=True,
            )
        elif callbacks:
            node.unsupported(
                "calls are not reported to other services, and code of your own is not run",
                is_security=any("." in str(each) for each in callbacks),
            )

    def answer_environment(self, ours: str) -> None:
        """Which of `environment_variables` our configuration reads."""
        for key, node in self.top.take("environment_variables").fields():
            if f"${{{key}:-" in ours:
                node.different("", f"the default of ${{{key}}}, where the environment has none")
            else:
                node.unsupported(
                    f"nothing that is taken over reads it, or it cannot be a default:"
                    f" set {key} where the gateway runs"
                )
