"""Problems of outside systems in words that hold no secret."""

from __future__ import annotations

import re
import smtplib
from base64 import b64encode

import pytest

from waldur_dagster.deployment import parse_deployment
from waldur_dagster.words import in_words

SECRET = "hid/den word+õ"


@pytest.mark.parametrize(
    "problem",
    [
        ValueError(f"value {SECRET!r}"),
        UnicodeEncodeError("ascii", SECRET, 14, 15, "ordinal not in range"),
        KeyError(SECRET),
        smtplib.SMTPAuthenticationError(535, SECRET.encode()),
        OSError(f"GET https://user:{SECRET}@x.org failed"),
        f"https://x.org/?token={SECRET}",
        "https://x.org/?token=hid%2Fden%20word%2B%C3%B5",
        "https://x.org/?a=1&token=hid%2Fden+word%2B%C3%B5&b=2",
        "the server says: Bearer hid\\/den".replace("\\", ""),
        f"it was sent Authorization: Basic {b64encode(f'user:{SECRET}'.encode()).decode()}, it says",
    ],
)
def test_no_form_of_a_secret_is_told(problem: Exception | str) -> None:
    told = in_words(problem, [SECRET, "hid/den"])
    assert "den" not in told.replace("hidden", "") and "\n" not in told
    assert not re.search(r"Basic [^*]", told)


def test_addresses_lose_their_passwords_and_the_values_of_their_queries() -> None:
    told = in_words(ValueError("POST https://user:pass@x.org/path?key=value&b=c: refused"))
    assert told == "ValueError: POST https://***@x.org/path?key=***&b=*** refused"


def test_words_are_one_line_of_bounded_length() -> None:
    told = in_words("a\r\n\x1b[31mb" + "c" * 5000)
    assert told.startswith("a [31mb") and len(told) < 400


def test_a_deployment_knows_its_secrets() -> None:
    deployment = parse_deployment(
        {
            "database": {"url": "postgresql://waldur:in-url@x/y", "password": "in-file"},
            "mail": {"password": "of-mail"},
            "celery": {"broker_url": "amqp://u:of-broker@x"},
            "waldur": {
                "WALDUR_FREEIPA": {"PASSWORD": "of-ipa"},
                "WALDUR_CORE.INVITATION_WEBHOOK_TOKEN_SECRET": "of-hook",
            },
        }
    )
    assert {"in-url", "in-file", "of-mail", "of-broker", "of-ipa", "of-hook"} <= set(deployment.secrets)
