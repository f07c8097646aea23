"""Keys and tokens that tell by their form whose they are, as their vendors document them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from extproc.policies.detectors.detector import Candidate, Context, Detector, Span, entropy
from gateway.kinds import Kind

_BASE_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MIN_ENTROPY = 2.5
"""Bits per character: below are placeholders such as `xxxx` and `1234…`."""
_AWS = Context(
    r"aws\w{0,24}|amazon|secret[ _\-]?access[ _\-]?key|secret[ _\-]?key|AKIA[A-Z2-7]{16}"
)
_TWILIO = Context(r"twilio|auth_?token|AC[0-9a-f]{32}")
_NOT_IN_TOKENS = frozenset("+/=")


@dataclass(frozen=True, slots=True)
class _Token:
    """Is not a piece of something longer, and random enough."""

    size: int
    """Of the text before what is random."""

    def __call__(self, candidate: Candidate) -> Span | None:
        before, after = candidate.before(1), candidate.after(1)
        if before.isalnum() or after.isalnum() or after == "_":
            return None
        random = candidate.value[self.size :]
        return candidate.span if entropy(random) >= _MIN_ENTROPY else None


def _github(candidate: Candidate) -> Span | None:
    """Thirty random characters, and their CRC-32 in six digits of base 62."""
    token = candidate.value.partition("_")[2]
    if candidate.before(1).isalnum() or candidate.after(1).isalnum():
        return None
    number, check = zlib.crc32(token[:-6].encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        check = _BASE_62[rest] + check
    return candidate.span if check == token[-6:] else None


def _aws_secret(candidate: Candidate) -> Span | None:
    """Forty characters of base 64 could be anything, so AWS must be named near it."""
    before, after = candidate.before(1), candidate.after(1)
    if before.isalnum() or before in _NOT_IN_TOKENS - {"="}:
        return None
    if after.isalnum() or after in _NOT_IN_TOKENS:
        return None
    value = candidate.value
    is_mixed = any(c.islower() for c in value) and any(c.isupper() for c in value)
    return candidate.span if is_mixed and entropy(value) >= 4 else None


def _token(
    kind: Kind, prefix: str, rest: str, sensor: str = "", context: Context | None = None
) -> Detector:
    """`prefix` and `rest` in RE2; what the rest matches is random."""
    size = min(len(option) for option in prefix.removeprefix("(?:").removesuffix(")").split("|"))
    return Detector(
        kind,
        sensor or f"{prefix}{rest.partition('{')[0]}",
        f"{prefix}{rest}",
        _Token(size),
        context=context,
    )


_WORD = "[A-Za-z0-9]"
_URL = r"[A-Za-z0-9_\-]"

VENDORS: tuple[Detector, ...] = (
    _token(Kind.AWS_KEY, "(?:AKIA|ASIA|ABIA|ACCA)", "[A-Z2-7]{16}"),
    Detector(
        Kind.AWS_KEY,
        r"(?i)aws|amazon|secret_?access_?key|secret.?key|AKIA",
        r"[A-Za-z0-9/+]{40}",
        _aws_secret,
        context=_AWS,
    ),
    _token(Kind.AWS_KEY, "ABSK", r"[A-Za-z0-9+/]{100,300}={0,2}"),  # Bedrock
    _token(Kind.GCP_KEY, "AIza", rf"{_URL}{{35}}"),
    _token(Kind.GCP_KEY, "GOCSPX-", rf"{_URL}{{28}}"),
    _token(Kind.GCP_KEY, r"ya29\.", rf"{_URL}{{30,400}}"),
    Detector(
        Kind.AZURE_KEY,
        r"(?i)(?:account|access)_?key",
        r"(?i:(?:account|shared ?access)_?key(?:_value)?[\"']?\s{0,2}[=:]\s{0,2}[\"']?)"
        r"([A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)",
        _Token(0),
    ),
    Detector(
        Kind.AZURE_KEY,
        r"\dQ~",
        r"[A-Za-z0-9_~.\-]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}",
        _Token(6),
    ),
    Detector(
        Kind.AZURE_KEY,
        r"[?&]sig=",
        r"[?&]sig=([A-Za-z0-9%/+]{43,80}(?:%3[Dd]|=))",
        _Token(0),
    ),
    Detector(Kind.GITHUB_TOKEN, r"gh[pousr]_", rf"gh[pousr]_{_WORD}{{36}}", _github),
    _token(Kind.GITHUB_TOKEN, "github_pat_", rf"{_WORD}{{22}}_{_WORD}{{59}}"),
    _token(
        Kind.GITLAB_TOKEN,
        r"gl(?:pat|ptt|dt|rt|ft|soat|cbt|agent|oas|imt)-",
        rf"{_URL}{{20,300}}(?:\.{_WORD}{{2,9}}){{0,2}}",
        "gl[a-z]{2,5}-",
    ),
    _token(Kind.SLACK_TOKEN, r"xox[abeoprs](?:\.xox[bp])?-", r"[A-Za-z0-9\-]{10,250}", "xox[a-z]"),
    _token(Kind.SLACK_TOKEN, r"xapp-", r"\d-[A-Z0-9]{8,16}-\d{8,16}-[a-f0-9]{32,80}"),
    _token(
        Kind.SLACK_TOKEN,
        r"hooks\.slack\.com/(?:services|workflows)/",
        r"[A-Z0-9]{8,14}/[A-Z0-9]{8,14}/[A-Za-z0-9/]{20,50}",
        r"hooks\.slack\.com/",
    ),
    _token(Kind.STRIPE_KEY, "(?:sk|rk)_(?:live|test)_", rf"{_WORD}{{16,247}}", "[sr]k_[lt]"),
    _token(Kind.STRIPE_KEY, "whsec_", r"[A-Za-z0-9+/]{32,64}={0,2}"),
    _token(
        Kind.OPENAI_KEY,
        "sk-",
        rf"(?:(?:proj|svcacct|admin|service)-{_URL}{{20,200}}|{_WORD}{{20}}T3BlbkFJ{_WORD}{{20}}"
        rf"|{_WORD}{{48}})",
        "sk-[A-Za-z0-9]",
    ),
    _token(Kind.ANTHROPIC_KEY, "sk-ant-", rf"[a-z]{{3,8}}\d\d-{_URL}{{60,140}}", "sk-ant-"),
    _token(Kind.HUGGINGFACE_TOKEN, "(?:hf_|api_org_)", "[A-Za-z0-9]{34}"),
    _token(Kind.NPM_TOKEN, "npm_", rf"{_WORD}{{36}}"),
    _token(Kind.PYPI_TOKEN, "pypi-AgE", rf"{_URL}{{50,500}}"),
    _token(Kind.TWILIO_KEY, "SK", "[0-9a-f]{32}"),
    _token(Kind.TWILIO_KEY, "", "[0-9a-f]{32}", r"(?i)twilio|AC[0-9a-f]{32}", _TWILIO),
    _token(Kind.SENDGRID_KEY, r"SG\.", rf"{_URL}{{22}}\.{_URL}{{43}}"),
    # models
    _token(Kind.VENDOR_KEY, "sk-or-v1-", "[0-9a-f]{64}"),  # OpenRouter
    _token(Kind.VENDOR_KEY, "gsk_", rf"{_WORD}{{52}}"),  # Groq
    _token(Kind.VENDOR_KEY, "xai-", rf"{_WORD}{{80}}"),
    _token(Kind.VENDOR_KEY, "r8_", rf"{_WORD}{{37}}"),  # Replicate
    _token(Kind.VENDOR_KEY, "pplx-", rf"{_WORD}{{48,56}}"),  # Perplexity
    _token(Kind.VENDOR_KEY, "csk-", rf"{_WORD}{{48}}"),  # Cerebras
    _token(Kind.VENDOR_KEY, "tgp_v1_", rf"{_URL}{{43}}"),  # Together
    _token(Kind.VENDOR_KEY, "fw_", rf"{_WORD}{{22,24}}"),  # Fireworks
    _token(Kind.VENDOR_KEY, "nvapi-", rf"{_URL}{{60,70}}"),  # NVIDIA
    _token(Kind.VENDOR_KEY, "lsv2_(?:pt|sk)_", "[0-9a-f]{32}_[0-9a-f]{10}"),  # LangSmith
    # machines and data
    _token(Kind.VENDOR_KEY, "do[opr]_v1_", "[0-9a-f]{64}"),  # DigitalOcean
    _token(Kind.VENDOR_KEY, "dapi", r"[0-9a-f]{32}(?:-\d)?"),  # Databricks
    _token(Kind.VENDOR_KEY, r"hv[sbr]\.", rf"{_URL}{{24,300}}"),  # Vault
    _token(Kind.VENDOR_KEY, r"dp\.(?:pt|st|ct|sa)\.", r"[A-Za-z0-9._]{40,60}"),  # Doppler
    _token(Kind.VENDOR_KEY, "dckr_(?:pat|oat)_", rf"{_URL}{{27,36}}"),  # Docker
    _token(Kind.VENDOR_KEY, "HRKU-", rf"{_URL}{{36,64}}"),  # Heroku
    _token(Kind.VENDOR_KEY, "pscale_(?:tkn|pw|oauth)_", r"[A-Za-z0-9_.\-]{32,64}"),  # PlanetScale
    _token(Kind.VENDOR_KEY, "sb(?:p|_secret)_", rf"{_URL}{{30,60}}"),  # Supabase
    _token(Kind.VENDOR_KEY, "tskey-[a-z]{3,12}-", r"[A-Za-z0-9\-]{20,64}", "tskey-"),  # Tailscale
    _token(Kind.VENDOR_KEY, "AGE-SECRET-KEY-1", "[A-Z0-9]{58}"),  # age
    _token(Kind.VENDOR_KEY, r"(?:rubygems_|oy2)", "[a-z0-9]{43,48}"),  # RubyGems, NuGet
    _token(Kind.VENDOR_KEY, "LTAI", rf"{_WORD}{{16,20}}"),  # Alibaba
    _token(Kind.VENDOR_KEY, "AKID", rf"{_WORD}{{32}}"),  # Tencent
    # work and shops
    _token(Kind.VENDOR_KEY, "ATATT3xFfGF0", rf"{_URL}{{100,220}}(?:=[A-F0-9]{{8}})?"),  # Atlassian
    _token(Kind.VENDOR_KEY, "lin_(?:api|oauth)_", rf"{_WORD}{{40,64}}"),  # Linear
    _token(Kind.VENDOR_KEY, "ntn_", rf"{_WORD}{{43,46}}"),  # Notion
    _token(Kind.VENDOR_KEY, "figd_", rf"{_URL}{{38,60}}"),  # Figma
    _token(Kind.VENDOR_KEY, "PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),  # Postman
    _token(Kind.VENDOR_KEY, "shp(?:at|ca|pa|ss)_", "[0-9a-fA-F]{32}"),  # Shopify
    _token(Kind.VENDOR_KEY, r"sq0[a-z]{3}-", rf"{_URL}{{22,43}}", "sq0[a-z]"),  # Square
    _token(
        Kind.VENDOR_KEY, r"pat", rf"{_WORD}{{14}}\.[0-9a-f]{{64}}", r"\.[0-9a-f]{12}"
    ),  # Airtable
    _token(Kind.VENDOR_KEY, "NRAK-", "[A-Z0-9]{27}"),  # New Relic
    _token(Kind.VENDOR_KEY, "gl(?:sa|c)_", r"[A-Za-z0-9_+/]{32,400}={0,2}"),  # Grafana
    _token(Kind.VENDOR_KEY, "sntr[yu]s?_", r"[A-Za-z0-9_+/=]{50,300}"),  # Sentry
    _token(Kind.VENDOR_KEY, "key-", "[0-9a-f]{32}"),  # Mailgun
    _token(Kind.VENDOR_KEY, "", r"[0-9a-f]{32}-us\d{1,2}", r"[0-9a-f]{4}-us\d"),  # Mailchimp
    _token(Kind.VENDOR_KEY, r"\d{8,10}:AA", rf"{_URL}{{33}}", r"\d:AA"),  # Telegram
    _token(
        Kind.VENDOR_KEY,
        r"(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/",
        rf"\d{{17,20}}/{_URL}{{60,72}}",
        r"/api/webhooks/",
    ),
)
