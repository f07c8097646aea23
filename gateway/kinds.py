"""What the guards of the types `pii` and `secrets` can find, by name and by group."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """Something that should not be where it is found."""

    EMAIL = "email"
    PHONE = "phone"
    IP_ADDRESS = "ip_address"
    CREDIT_CARD = "credit_card"
    IBAN = "iban"
    US_SSN = "us_ssn"
    US_ITIN = "us_itin"
    CA_SIN = "ca_sin"
    UK_NHS = "uk_nhs"
    UK_NINO = "uk_nino"
    DE_TAX_ID = "de_tax_id"
    FR_NIR = "fr_nir"
    ES_DNI = "es_dni"
    IT_FISCAL_CODE = "it_fiscal_code"
    NL_BSN = "nl_bsn"
    BE_NRN = "be_nrn"
    CH_AHV = "ch_ahv"
    PL_PESEL = "pl_pesel"
    SE_PERSONNUMMER = "se_personnummer"
    FI_HETU = "fi_hetu"
    BR_CPF = "br_cpf"
    IN_AADHAAR = "in_aadhaar"
    AU_TFN = "au_tfn"
    CN_ID = "cn_id"
    SG_NRIC = "sg_nric"

    PRIVATE_KEY = "private_key"
    JWT = "jwt"
    AWS_KEY = "aws_key"
    GCP_KEY = "gcp_key"
    AZURE_KEY = "azure_key"
    GITHUB_TOKEN = "github_token"
    GITLAB_TOKEN = "gitlab_token"
    SLACK_TOKEN = "slack_token"
    STRIPE_KEY = "stripe_key"
    OPENAI_KEY = "openai_key"
    ANTHROPIC_KEY = "anthropic_key"
    HUGGINGFACE_TOKEN = "huggingface_token"
    NPM_TOKEN = "npm_token"
    PYPI_TOKEN = "pypi_token"
    TWILIO_KEY = "twilio_key"
    SENDGRID_KEY = "sendgrid_key"
    VENDOR_KEY = "vendor_key"
    URL_PASSWORD = "url_password"
    PASSWORD = "password"


_CONTACT = (Kind.EMAIL, Kind.PHONE, Kind.IP_ADDRESS)
_PAYMENT = (Kind.CREDIT_CARD, Kind.IBAN)
_ALL = tuple(Kind)
_NATIONAL = _ALL[_ALL.index(Kind.US_SSN) : _ALL.index(Kind.PRIVATE_KEY)]
_SECRETS = _ALL[_ALL.index(Kind.PRIVATE_KEY) :]
_TELLING = (Kind.PRIVATE_KEY, Kind.JWT, Kind.URL_PASSWORD, Kind.PASSWORD)

PII_GROUPS: Mapping[str, tuple[Kind, ...]] = {
    "all": (*_CONTACT, *_PAYMENT, *_NATIONAL),
    "contact": _CONTACT,
    "payment": _PAYMENT,
    "national_id": _NATIONAL,
}
"""Names that stand for several kinds, of the type `pii`."""

SECRET_GROUPS: Mapping[str, tuple[Kind, ...]] = {
    "all": _SECRETS,
    "cloud": (Kind.AWS_KEY, Kind.GCP_KEY, Kind.AZURE_KEY),
    "vendor": tuple(kind for kind in _SECRETS if kind not in _TELLING),
}
"""Names that stand for several kinds, of the type `secrets`."""

PII_NAMES: tuple[str, ...] = (*PII_GROUPS, *PII_GROUPS["all"])
SECRET_NAMES: tuple[str, ...] = (*SECRET_GROUPS, *SECRET_GROUPS["all"])


def kinds_of(name: str, groups: Mapping[str, tuple[Kind, ...]]) -> tuple[Kind, ...]:
    """What a name stands for; one of a kind stands for itself."""
    return groups[name] if name in groups else (Kind(name),)
