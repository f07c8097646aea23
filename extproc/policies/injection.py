"""Signs of prompt injection and of jailbreaks, weighed: a heuristic, and no proof of either.

Words of instruction in several languages, markers of roles that models are trained on, characters
that nobody sees, and the same again in what is spelled in base64 or in hidden characters.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import re2

from extproc.policies.finding import Found
from extproc.policies.patterns import Patterns


class Signal(NamedTuple):
    """One sign."""

    name: str
    weight: float
    """What it adds to the score of a text; a text is refused from the threshold on."""
    pattern: str
    """RE2, of bounded length; case is ignored."""


_GAP = r"[^.!?\n]{0,40}?"
_RULES = (
    r"(?:instructions?|prompts?|rules?|guidelines?|directives?|commands?|directions|programming"
    r"|constraints|messages)"
)
_EARLIER = r"(?:previous|prior|above|earlier|preceding|foregoing|initial|original|existing|system)"

SIGNALS: tuple[Signal, ...] = (
    Signal(
        "override",
        0.7,
        rf"\b(?:ignore|disregard|forget|override|bypass|skip|drop|discard){_GAP}"
        rf"\b(?:{_EARLIER}|all|any|your|those|these){_GAP}\b{_RULES}",
    ),
    Signal(
        "override",
        0.7,
        rf"\b(?:ignore|disregard|forget) (?:everything|all|anything|whatever){_GAP}"
        r"\b(?:above|before|previously|so far|earlier|you were told|you have been told)",
    ),
    Signal(
        "override",
        0.7,
        rf"\b(?:do not|don't|stop) (?:follow|obey|listen to|comply with|following|obeying){_GAP}"
        rf"\b(?:{_EARLIER}|your|the){_GAP}\b{_RULES}",
    ),
    Signal(
        "override",
        0.7,
        r"\b(?:ignore|disregard|forget) the (?:\w{1,20} )?(?:rules|instructions|guidelines) of"
        r" (?:your|the) (?:operator|developer|system|host|client)",
    ),
    Signal(
        "override",
        0.7,
        r"(?:ignorier\w{0,4}|missachte\w{0,2}|vergiss|vergessen sie)[^.!?\n]{0,40}?"
        r"(?:anweisung|vorgabe|instruktion|regeln|befehle)"
        r"|(?:ignore[zr]?|oublie[zr]?|ne tenez pas compte)[^.!?\n]{0,40}?"
        r"(?:instructions?|consignes?|règles)"
        r"|(?:ignora|ignore|olvida|olvide|desobedece)[^.!?\n]{0,40}?"
        r"(?:instrucciones|instruções|istruzioni|reglas|regras|regole|órdenes)"
        r"|(?:игнорируй|забудь|не обращай внимания)[^.!?\n]{0,60}?(?:инструкци|указани|правил)"
        r"|(?:忽略|无视|忘记|忽視|無視)[^。！？\n]{0,20}?(?:指令|指示|提示|规则|規則|命令)"
        r"|(?:指示|命令|ルール|プロンプト)[^。！？\n]{0,10}?(?:無視|忘れ)",
    ),
    Signal(
        "reveal",
        0.5,
        rf"\b(?:reveal|show|print|repeat|output|display|dump|leak|expose|tell me|give me|write out"
        rf"|what (?:is|are|was|were)|recite){_GAP}"
        r"\b(?:system prompt|system message|initial (?:prompt|instructions)|hidden (?:prompt"
        r"|instructions|rules)|developer (?:message|prompt)|(?:prompt|instructions|text|words)"
        r" above|your (?:instructions|prompt|guidelines|rules)(?: verbatim| word for word)?)",
    ),
    Signal(
        "persona",
        0.6,
        r"\b(?:do anything now|DAN mode|developer mode (?:enabled|on|activated)|jailbr(?:eak|oken)"
        r"(?: mode| prompt)?|god mode|evil mode|opposite mode|unrestricted (?:ai|mode|assistant)"
        r"|(?:you are|act as|be) (?:now )?DAN\b)",
    ),
    Signal(
        "unbound",
        0.4,
        r"\b(?:without|no|free of|free from|ignoring|not bound by|has no|have no|bypass(?:es|ing)?)"
        rf"{_GAP}\b(?:restrictions|filters?|limitations|ethic(?:s|al)|moral(?:s|ity)?|censorship"
        r"|safety (?:rules|guidelines|filters?|measures)|content polic(?:y|ies)|guardrails)",
    ),
    Signal(
        "persona",
        0.4,
        rf"\b(?:pretend|act|behave|respond|answer|role-?play|imagine){_GAP}"
        r"\b(?:as if|as an?|to be|you are|you're|like)\b"
        rf"{_GAP}\b(?:ai|assistant|chatbot|model|character|machine|hacker|villain|developer)\b",
    ),
    Signal(
        "takeover",
        0.4,
        r"\b(?:from now on|henceforth|starting now|as of now),? (?:you (?:are|will|must|shall)|act)"
        r"|\byou are no longer\b|\byour (?:new|real|true|actual) (?:task|instructions?|goal|purpose"
        r"|role|system prompt)\b|\b(?:new|updated|revised) (?:system )?instructions?:"
        r"|\bthe (?:above|previous|following) (?:was|were|is) (?:just )?(?:a test|fake|not real)",
    ),
    Signal(
        "role_marker",
        0.5,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id"
        r"|begin_of_text)\|>|\[/?INST\]|<</?SYS>>|</?(?:system|developer)(?:_prompt|_message)?>"
        r"|(?:^|\n)\s{0,3}(?:#{1,4} ?|\*\*|\[)?(?:system|developer)(?: message| prompt)?"
        r"(?:\*\*|\])? ?: |\n\n(?:Human|Assistant): |<start_of_turn>",
    ),
    Signal(
        "secrecy",
        0.4,
        r"\b(?:do not|don't|never|without) (?:tell|telling|inform|informing|mention|mentioning"
        rf"|alert|notify|notifying|reveal(?:ing)? (?:this|it) to){_GAP}\b(?:user|human|anyone"
        r"|operator|person|owner)"
        r"|\b(?:keep|hide|conceal)(?:ing)? (?:this|it|that|them)\b[^.!?\n]{0,20}?"
        r"\bfrom the (?:user|human)"
        r"|\b(?:user|human)s? (?:need not|must not|should not|may not|mustn't|shouldn't)"
        r" (?:know|see|notice)"
        r"|\b(?:do not|don't|never|without) let(?:ting)? the (?:user|human)s? (?:know|see|notice)",
    ),
    Signal(
        "snooping",
        0.4,
        r"\b(?:read|open|access|print|cat|load|fetch|get|include|collect|contents? of)\b"
        r"[^!?\n]{0,60}?(?:\.ssh\b|\bid_(?:rsa|ed25519|ecdsa)\b|\.aws/credentials|\.netrc\b"
        r"|\.npmrc\b|\.kube/config|\bmcp\.json\b|/etc/(?:passwd|shadow)\b|\.env\b)",
    ),
    Signal(
        "smuggling",
        0.4,
        r"\b(?:pass|put|include|place|attach|append|supply|provide)\b"
        r"[^.!?\n]{0,30}?\b(?:its|their|whole|full|entire|all|everything|what it says)\b"
        rf"{_GAP}\b(?:as|in|into|with)\b[^.!?\n]{{0,20}}?(?:[`'\"]\w|\b(?:argument|parameter|field)\b)",
    ),
    Signal(
        "ordering",
        0.3,
        r"\bbefore (?:you )?(?:us(?:e|ing)|call(?:ing)?|invok(?:e|ing)|run(?:ning)?) (?:this|the)"
        rf" (?:tool|function)\b{_GAP}\b(?:read|open|access|list|print|collect)\b"
        r"|\botherwise,? (?:this|the) tool (?:will not|won't|does not|can't|cannot) work\b"
        r"|\bbefore (?:replying|answering|responding|doing|saying) (?:to )?anything\b"
        r"|\bbefore any other tool\b|\balways use this (?:one|tool) (?:first|instead)\b"
        r"|</?(?:important|critical|secret|hidden)>",
    ),
    Signal(
        "copying",
        0.4,
        r"\b(?:always|also|must)\b[^.!?\n]{0,30}?\b(?:add|bcc|cc|copy|forward|send)\b"
        r"[^!?\n]{0,40}?[\w.]{1,40}@",
    ),
    Signal(
        "exfiltration",
        0.4,
        rf"\b(?:send|post|forward|upload|exfiltrate|transmit|append|encode|leak|email){_GAP}"
        r"\b(?:conversation|chat history|history|context|credentials|secrets|api keys?|tokens?"
        rf"|passwords?|environment variables|everything|all (?:files|data)){_GAP}"
        r"(?:https?://|[\w.]{1,40}@|webhook|\bserver\b|\burl\b)"
        r"|\b(?:credentials|secrets|api keys|private keys?|passwords|environment variables)\b"
        rf"{_GAP}\b(?:send|post|upload|transmit|forward){_GAP}(?:https?://|[\w.]{{1,40}}@)",
    ),
    Signal(
        "obedience",
        0.3,
        r"\b(?:decode|decipher|translate|unscramble|reverse|read) (?:this|the following|it|and)"
        rf"{_GAP}\b(?:follow|execute|obey|carry out|comply|do what)\b"
        r"|\boverrides? (?:those|the (?:wishes|requests|instructions)) of the (?:user|operator)"
        r"|\b(?:you must|always) (?:comply|obey)\b|\bdo not refuse\b|\bnever refuse\b"
        r"|\bstay in character\b|\bstart your (?:answer|response|reply) with\b",
    ),
)

_BASE_64 = re2.compile(r"[A-Za-z0-9+/_\-]{32,800}")
_HIDDEN = re.compile("[\U000e0020-\U000e007e]+")
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")
_UNSEEN = re.compile("[\u200b\u2060-\u2064\ufeff\u00ad\u180e]")
_TURNED = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MANY_UNSEEN = 8
_HIDDEN_WEIGHT, _UNSEEN_WEIGHT, _TURNED_WEIGHT = 0.7, 0.3, 0.3
_ENCODED_WEIGHT = 0.3
"""Added to that of what was encoded."""


class Injection:
    """A `Finder` of texts that try to take the model over."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._patterns = Patterns([f"(?i){signal.pattern}" for signal in SIGNALS])

    def is_in(self, texts: Sequence[str]) -> bool:
        """Whether one of them reaches the threshold by itself."""
        return any(self.score(text) >= self._threshold for text in texts)

    def spans(self, text: str, start: int = 0) -> list[Found]:
        """All of the text, if it reaches the threshold: there is no part to take out."""
        rest = text[start:]
        return [Found(start, len(text), "injection")] if self.is_in((rest,)) else []

    def score(self, text: str) -> float:
        """From 0 to 1; each sign counts once."""
        return min(1.0, round(sum(self.signs(text).values()), 3))

    def signs(self, text: str) -> dict[str, float]:
        """The signs in a text, by name, with the weight of each."""
        signs: dict[str, float] = {}
        if not text.isascii():
            text = _seen(text, signs, self)
        self._add(text, signs)
        for found in _BASE_64.finditer(text):
            hidden = _decoded(found.group())
            if hidden is not None:
                before = sum(signs.values())
                self._add(hidden, signs)
                if sum(signs.values()) > before:
                    signs["encoded"] = _ENCODED_WEIGHT
        return signs

    def _add(self, text: str, signs: dict[str, float]) -> None:
        for place in self._patterns.hits((text,)):
            name, weight, _ = SIGNALS[place]
            signs[name] = max(weight, signs.get(name, 0))


def _seen(text: str, signs: dict[str, float], injection: Injection) -> str:
    """The text as a model may read it: without what hides in it, in its usual letters."""
    plain = _FLAG.sub("", text)
    hidden = "".join(_HIDDEN.findall(plain))
    if hidden:
        signs["hidden_text"] = _HIDDEN_WEIGHT
        said = "".join(chr(ord(mark) - 0xE0000) for mark in hidden)
        signs |= injection.signs(said)
    if len(_UNSEEN.findall(plain)) >= _MANY_UNSEEN:
        signs["unseen_characters"] = _UNSEEN_WEIGHT
    if _TURNED.search(plain) and not any(
        unicodedata.bidirectional(mark) in ("R", "AL") for mark in plain
    ):
        signs["turned_text"] = _TURNED_WEIGHT
    return unicodedata.normalize("NFKC", _UNSEEN.sub("", _HIDDEN.sub("", plain)))


def _decoded(text: str) -> str | None:
    """What base 64 says, if it says text."""
    if "-" in text or "_" in text:
        text = text.replace("-", "+").replace("_", "/")
    text = text[: len(text) // 4 * 4]
    try:
        said = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return said if said.isprintable() or "\n" in said else None
