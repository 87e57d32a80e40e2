"""The forms that vendors give their keys and tokens, as they document them."""

import base64
import binascii
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel

from fanfold_workers.contract import Severity

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Vendor:
    """One form of key.

    Attributes:
        label: what it is, with an article.
        pattern: in RE2's syntax, from its first character to its last; no groups.
        prefix: how many of its first characters are the vendor's and tell nothing.
        severity: how much a live one in shipped code matters.
        genuine: whether a text of that form carries a valid checksum; None where the form has none.
        encoded: whether it is base64 of something readable, in which chance words mean nothing.
    """

    label: str
    pattern: str
    prefix: int
    severity: Severity = Severity.high
    genuine: Callable[[str], bool] | None = None
    encoded: bool = False


def ends_in_crc32(token: str) -> bool:
    """Whether the last six characters are the CRC-32, in base 62, of those between them and the prefix."""
    body = token.rpartition("_")[2]
    rest, number = "", zlib.crc32(body[:-6].encode())
    while number:
        number, digit = divmod(number, 62)
        rest = _BASE62[digit] + rest
    return body[-6:] == rest.rjust(6, "0")


def is_signed_token(token: str) -> bool:
    """Whether a JSON Web Token's header decodes and names how it is signed."""
    try:
        header = _Header.model_validate_json(_decoded(token.partition(".")[0]))
    except ValueError:
        return False
    return header.alg.lower() != "none"


class _Header(BaseModel):
    alg: str


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        msg = "not base64"
        raise ValueError(msg) from error


_CRITICAL = Severity.critical
_LOW = Severity.low
_MEDIUM = Severity.medium

VENDORS: tuple[Vendor, ...] = (
    Vendor("an AWS access key id", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b", 4),
    Vendor("a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{36}\b", 4, _CRITICAL, ends_in_crc32),
    Vendor("a GitHub token", r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b", 11, _CRITICAL),
    Vendor("a GitLab token", r"\bgl(?:pat|dt|rt|ptt|agent|soat|ft|imt|cbt)-[A-Za-z0-9_-]{20,64}", 6, _CRITICAL),
    Vendor("a Slack token", r"\bxox[abeoprs]-(?:[0-9]+-){1,3}[A-Za-z0-9-]{10,80}", 5),
    Vendor("a Slack app token", r"\bxapp-[0-9]-[A-Z0-9]{8,14}-[0-9]{8,16}-[a-f0-9]{40,80}\b", 5),
    Vendor("a Slack webhook", r"\bhooks\.slack\.com/services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24}\b", 24),
    Vendor("a Stripe key", r"\b[sr]k_live_[A-Za-z0-9]{16,}\b", 8, _CRITICAL),
    Vendor("a Stripe test key", r"\b[sr]k_test_[A-Za-z0-9]{16,}\b", 8, _LOW),
    Vendor("a Stripe webhook secret", r"\bwhsec_[A-Za-z0-9+/]{32,64}={0,2}", 6),
    Vendor("a Google API key", r"\bAIza[A-Za-z0-9_-]{35}", 4, _MEDIUM),
    Vendor("a Google OAuth client secret", r"\bGOCSPX-[A-Za-z0-9_-]{28}", 7),
    Vendor("a Google OAuth access token", r"\bya29\.[A-Za-z0-9_-]{30,}", 5, _MEDIUM),
    Vendor("an OpenAI key", r"\bsk-(?:[a-z]{4,8}-)?[A-Za-z0-9_-]{20,74}T3BlbkFJ[A-Za-z0-9_-]{20,74}", 3, _CRITICAL),
    Vendor("an Anthropic key", r"\bsk-ant-[a-z]{3,8}[0-9]{2}-[A-Za-z0-9_-]{80,120}", 13, _CRITICAL),
    Vendor("an npm token", r"\bnpm_[A-Za-z0-9]{36}\b", 4, _CRITICAL, ends_in_crc32),
    Vendor("a PyPI token", r"\bpypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,}", 8, _CRITICAL),
    Vendor("a RubyGems key", r"\brubygems_[a-f0-9]{48}\b", 9, _CRITICAL),
    Vendor("a crates.io token", r"\bcio[A-Za-z0-9]{32}\b", 3, _CRITICAL),
    Vendor("a Docker Hub token", r"\bdckr_[po]at_[A-Za-z0-9_-]{27,32}", 9, _CRITICAL),
    Vendor("a Twilio API key", r"\bSK[0-9a-f]{32}\b", 2),
    Vendor("a SendGrid key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", 3),
    Vendor("a Mailgun key", r"\bkey-[0-9a-f]{32}\b", 4),
    Vendor("a Mailchimp key", r"\b[0-9a-f]{32}-us[0-9]{1,2}\b", 0),
    Vendor("a Telegram bot token", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}", 0),
    Vendor("a Discord webhook", r"\bdiscord(?:app)?\.com/api/webhooks/[0-9]{15,22}/[A-Za-z0-9_-]{60,72}", 16),
    Vendor("a Hugging Face token", r"\bhf_[A-Za-z]{34}\b", 3),
    Vendor("a Databricks token", r"\bdapi[0-9a-f]{32}\b", 4),
    Vendor("a DigitalOcean token", r"\bdo[opr]_v1_[0-9a-f]{64}\b", 7, _CRITICAL),
    Vendor("a Shopify token", r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b", 6),
    Vendor("a Square token", r"\bsq0(?:atp|csp)-[A-Za-z0-9_-]{22,43}", 7),
    Vendor("a Grafana token", r"\bglsa_[A-Za-z0-9]{32}_[0-9a-f]{8}\b", 5),
    Vendor("a HashiCorp Vault token", r"\bhv[sbr]\.[A-Za-z0-9_-]{90,}", 4, _CRITICAL),
    Vendor("a Terraform Cloud token", r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70}", 0, _CRITICAL),
    Vendor("a New Relic key", r"\bNRAK-[A-Z0-9]{27}\b", 5),
    Vendor("a Sentry token", r"\bsntry[su]_[A-Za-z0-9+/=_-]{50,}", 7),
    Vendor("a Linear key", r"\blin_api_[A-Za-z0-9]{40}\b", 8),
    Vendor("a Postman key", r"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}\b", 5),
    Vendor("a Groq key", r"\bgsk_[A-Za-z0-9]{52}\b", 4),
    Vendor("an xAI key", r"\bxai-[A-Za-z0-9]{80}\b", 4),
    Vendor("a Replicate token", r"\br8_[A-Za-z0-9]{37}\b", 3),
    Vendor("a Perplexity key", r"\bpplx-[A-Za-z0-9]{48}\b", 5),
    Vendor("an Atlassian token", r"\bATATT3[A-Za-z0-9_=-]{100,}", 6, _CRITICAL),
    Vendor("a Pulumi token", r"\bpul-[a-f0-9]{40}\b", 4, _CRITICAL),
    Vendor("a Doppler token", r"\bdp\.(?:pt|st|ct|sa)\.[A-Za-z0-9_.-]{40,60}\b", 6, _CRITICAL),
    Vendor("an Artifactory key", r"\bAKCp[A-Za-z0-9]{69}\b", 4),
    Vendor("an Alibaba Cloud key id", r"\bLTAI[A-Za-z0-9]{20}\b", 4),
    Vendor("a Dynatrace token", r"\bdt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}\b", 7, _CRITICAL),
    Vendor("an Azure storage key", r"\bAccountKey=[A-Za-z0-9+/]{86}==", 11, _CRITICAL),
    Vendor("an age secret key", r"\bAGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}\b", 16, _CRITICAL),
    Vendor(
        "a JSON Web Token",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{20,}",
        3,
        _MEDIUM,
        is_signed_token,
        encoded=True,
    ),
)
"""In the order in which they are tried where two begin at one place."""

PRIVATE_KEY = r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-[0-9]: "
"""How a private key in PEM, OpenPGP or PuTTY form begins."""
