"""API keys of theirs → `identity.api_keys`: who holds them, where they are sent, what they open."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal

from gateway.config.identity import Digest
from gateway.config.scalars import Secret, Text
from gateway.importers.agentgateway import policy_keys
from gateway.importers.agentgateway.draft import Door, Draft, Rule, Terms
from gateway.importers.agentgateway.fitting import fits
from gateway.importers.agentgateway.keys import settle
from gateway.importers.agentgateway.patterns import any_of
from gateway.importers.walk import Node, has_variable

_KEYS = "identity.api_keys.keys"
_SENT = "keys are sent as `Authorization: Bearer …`, or as x-api-key, api-key or x-goog-api-key"
_PERMISSIVE = "a wrong key is refused; theirs lets it pass as nobody's"
_BOOKED = "the estimate is reserved before the call, so nothing is overspent"
_KEY_COUNTS = "the key itself counts"
_KNOWN_HEADERS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
_WINDOWS = {"1h": "hour", "24h": "day", "1d": "day"}
_PATTERN = re.compile(r"[^*]*\*?[^*]*")


def unusable_tags(value: object) -> frozenset[str]:
    """Metadata of keys that our tags cannot hold, anywhere in the file, as expressions name it."""
    found: set[str] = set()
    if isinstance(value, dict):
        metadata = value.get("metadata") if "key" in value or "keyHash" in value else None
        if isinstance(metadata, dict):
            found = {f"apiKey.{name}" for name in metadata if not _is_tag(name, metadata[name])}
        for item in value.values():
            found |= unusable_tags(item)
    elif isinstance(value, list):
        for item in value:
            found |= unusable_tags(item)
    return frozenset(found)


def read_api_keys(node: Node, draft: Draft) -> Terms:
    """The keys of one policy, and the door that they open."""
    locks = settle(node, policy_keys.API_KEYS)
    _location(node.take("location"))
    is_strict = _mode(node.take("mode"))
    names = [_key(item, draft) for item in node.take("keys").items()]
    known = tuple(name for name in names if name is not None)
    return Terms(locks, doors=(Door(known, is_strict),))


def _mode(node: Node) -> bool:
    match node.text():
        case "strict":
            node.exact("identity.required")
            return True
        case "permissive":
            node.different("identity.required", _PERMISSIVE)
            return False
        case "optional" | None:
            node.exact("identity.required")
            return False
        case _:
            node.problem("must be strict, optional or permissive")
            return True


def _location(node: Node) -> None:
    """Another place for the key shuts some out, and lets nobody in."""
    settle(node, policy_keys.LOCATION, unknown_is_lock=False)
    header = node.take("header")
    settle(header, policy_keys.LOCATION_HEADER, unknown_is_lock=False)
    name = (header.take("name").text() or "").lower()
    prefix = header.take("prefix").text() or ""
    wanted = "Bearer" if name == "authorization" else ""
    if name in _KNOWN_HEADERS and prefix.strip().lower() == wanted.lower():
        header.different("identity.api_keys", _SENT)
    for place in (header, *(node.take(each) for each in ("queryParameter", "cookie"))):
        if not place.is_answered:
            place.unsupported(f"{_SENT}; clients have to send them so")
    node.take("expression").unsupported(f"{_SENT}; clients have to send them so")


def _key(node: Node, draft: Draft) -> str | None:
    """The name of one key; None when it opens nothing here."""
    settle(node, policy_keys.API_KEY)
    block = _credential(node)
    if block is None:
        node.unsupported("nobody can come in with it")
        return None
    ((field, secret),) = block.items()
    known = draft.key_names.get(secret)
    index = len(draft.keys) if known is None else _position(known, draft)
    written = node.take("key") if not node.take("key").is_empty else node.take("keyHash")
    written.exact(f"{_KEYS}.{index}.{field}")
    tags = _tags(node.take("metadata"), f"{_KEYS}.{index}")
    if known is not None:
        return _again(node, known, tags, draft)
    name = draft.name("key", tags.get("name"), f"key-{index + 1}")
    draft.key_names[secret] = name
    draft.keys.append({"name": name, **block, **({"tags": tags} if tags else {})})
    _allowed_models(node.take("allowedModels"), name, draft)
    for item in node.take("budgets").items():
        _budget(item, name, draft)
    return name


def _position(name: str, draft: Draft) -> int:
    return next(index for index, key in enumerate(draft.keys) if key["name"] == name)


def _again(node: Node, name: str, tags: dict[str, str], draft: Draft) -> str | None:
    """A key that is written twice is one key, when both say the same of it."""
    first = draft.keys[_position(name, draft)]
    is_same = first.get("tags", {}) == tags and not node.has("allowedModels")
    if is_same and not node.has("budgets"):
        return name
    node.unsupported(f"'{name}' has the same key and says something else", is_security=True)
    return None


def _credential(node: Node) -> dict[str, str] | None:
    """The key, when it is a variable; else its digest: it need not be in a second file."""
    key, digest = node.take("key"), node.take("keyHash")
    text = key.text()
    if text is not None and has_variable(text) and fits(Secret, text):
        digest.exact(note=_KEY_COUNTS)
        return {"key": text}
    if text and not has_variable(text):
        digest.exact(note=_KEY_COUNTS)
        return {"digest": hashlib.sha256(text.replace("$${", "${").encode()).hexdigest()}
    hashed = (digest.text() or "").removeprefix("sha256:").lower()
    if text is None and hashed and (fits(Digest, hashed) or has_variable(hashed)):
        return {"digest": hashed}
    for place in (key, digest):
        place.unsupported("no key that can be sent in a header")
    return None


def _tags(node: Node, to: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    if not isinstance(node.value, dict):
        if not node.is_empty:
            node.unsupported("only text by name can be tags of a key")
        return tags
    for name, field in node.fields():
        if _is_tag(name, field.value):
            tags[name] = str(field.value)
            field.exact(f"{to}.tags.{name}")
        else:
            field.unsupported("tags of a key are text of one line")
    return tags


def _is_tag(name: object, value: object) -> bool:
    is_key = isinstance(name, str) and fits(Text, name) and "${" not in name
    return is_key and isinstance(value, str) and fits(Text, value)


def _allowed_models(node: Node, key: str, draft: Draft) -> None:
    if node.value is None:
        return
    patterns = node.texts()
    is_whole = all(_is_plain(text) for text in patterns)
    allowed = any_of(patterns) if is_whole else ""
    draft.rule(
        f"models-of-{key}",
        {"key": key, "llm": "*"},
        Rule("require", allowed or "false", (node.path,)),
    )
    if is_whole:
        node.different("authorize", "the models are still listed")
    else:
        node.unsupported("patterns have one '*': the key opens no model", is_security=True)


def _is_plain(text: str) -> bool:
    return bool(_PATTERN.fullmatch(text)) and text.isprintable() and "${" not in text


def _budget(node: Node, key: str, draft: Draft) -> None:
    settle(node, policy_keys.API_KEY_BUDGET, unknown_is_lock=False)
    limit, window = node.take("limit"), node.take("window")
    settle(limit, policy_keys.BUDGET_LIMIT, unknown_is_lock=False)
    settle(window, policy_keys.BUDGET_WINDOW, unknown_is_lock=False)
    unit = limit.take("unit").text() or ""
    amount = limit.take("amount").number()
    per = _WINDOWS.get(window.take("rolling").text() or "")
    name = node.take("name").text()
    if node.take("onBudgetExceeded").text() == "Audit":
        node.unsupported("a budget that is only watched is not kept; see the spending in admin")
    elif per is None:
        node.unsupported(
            "the key may spend without limit: budgets start anew each hour, day, week or month;"
            " write one",
            is_security=True,
        )
    elif not isinstance(amount, int | Decimal) or amount <= 0 or unit not in ("USD", "Tokens"):
        node.unsupported(
            "the key may spend without limit: a budget is an amount of USD or tokens",
            is_security=True,
        )
    else:
        given = draft.name("budget", f"{key}-{name or per}", "budget")
        number = f"{amount:f}" if isinstance(amount, Decimal) else str(amount)
        written = f"{number} USD" if unit == "USD" else f"{int(amount)} tokens"
        draft.budgets.append({"name": given, "for": {"key": key}, "limit": written, "per": per})
        node.different(f"budgets.{len(draft.budgets) - 1}", _BOOKED)
