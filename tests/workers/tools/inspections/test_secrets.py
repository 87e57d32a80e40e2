"""What a person sees of secrets: where they stand, how bad it is, and nothing of the secrets themselves."""

import random
import re
import string
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanfold_workers.contract import Evidence, Examined, Finding, Severity
from fanfold_workers.tools.files import Files
from fanfold_workers.tools.inspections.masking import MASK, identity, looks_random, masked, masked_line
from fanfold_workers.tools.inspections.secrets import TOOL
from fanfold_workers.tools.roots import MemoryRoot
from fanfold_workers.tools.toolbox import Answer, Inspect

# No key stands here in one piece, so that scanners of this repository have nothing to find.
ALNUM = string.ascii_letters + string.digits
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def drawn(length: int, alphabet: str = ALNUM, seed: int = 7) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))


def github(seed: int = 7, prefix: str = "ghp") -> str:
    body = drawn(30, seed=seed)
    number, check = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        check = BASE62[digit] + check
    return f"{prefix}_{body}{check.rjust(6, '0')}"


def pem(label: str = "RSA ", seed: int = 7) -> str:
    body = drawn(640, ALNUM + "+/", seed)
    lines = "\n".join(body[i : i + 64] for i in range(0, 640, 64))
    return f"-----BEGIN {label}PRIVATE KEY-----\n{lines}\n-----END {label}PRIVATE KEY-----\n"


AWS = "AKIA" + drawn(16, string.ascii_uppercase + "234567")
LIVE = {
    "an AWS access key id": AWS,
    "a GitHub token": github(),
    "a GitLab token": "glpat-" + drawn(20),
    "a Slack token": "xoxb-" + "-".join([drawn(12, string.digits), drawn(12, string.digits, 3), drawn(24)]),
    "a Stripe key": "sk_live_" + drawn(24),
    "a Google API key": "AIza" + drawn(35),
    "an OpenAI key": "sk-proj-" + drawn(40) + "T3Blbk" + "FJ" + drawn(40, seed=2),
    "an Anthropic key": "sk-ant-" + "api03-" + drawn(95),
    "an npm token": github(prefix="npm"),
    "a PyPI token": "pypi-" + "AgEIcHlwaS5vcmc" + drawn(150),
    "a Twilio API key": "SK" + drawn(32, "0123456789abcdef"),
    "a SendGrid key": f"SG.{drawn(22)}.{drawn(43)}",
    "a Telegram bot token": f"{drawn(9, string.digits)}:AA{drawn(33)}",
    "a DigitalOcean token": "dop_v1_" + drawn(64, "0123456789abcdef"),
    "an Azure storage key": "AccountKey=" + drawn(86) + "==",
}


def inspected(files: dict[str, str]) -> Answer:
    return TOOL.run(Files({"repo": MemoryRoot("repo", files)}, ("repo",)), Inspect())


def everything(answer: Answer) -> str:
    return answer.text + "".join(f.model_dump_json() for f in answer.findings) + "".join(answer.gaps)


def test_a_key_in_shipped_code_is_found_masked_at_its_line():
    answer = inspected({"app/settings.py": f'import os\nKEY = "{AWS}"  # prod\n'})
    shown = f"AKIA{MASK}{AWS[-2:]}"
    assert answer.findings == (
        Finding(
            kind="secrets.key",
            subject=identity(AWS),
            claim=f"An AWS access key id ({shown}) stands once.",
            severity=Severity.high,
            confidence=0.9,
            evidence=(Evidence(source="repo:app/settings.py", locator="L2", quote=f'KEY = "{shown}"  # prod'),),
        ),
    )
    assert answer.examined == Examined(done=1, in_scope=1, unit="text files")


@pytest.mark.parametrize(("label", "key"), LIVE.items())
def test_each_vendor_s_form_is_known_and_never_shown(label: str, key: str):
    answer = inspected({"deploy.sh": f"curl -H 'X-Auth: {key}' https://api\n"})
    assert [f.claim.split(" (")[0].lower() for f in answer.findings] == [label.lower()]
    assert key not in everything(answer)
    assert key[8:-8] not in everything(answer)


def test_a_private_key_is_critical_and_only_its_header_is_quoted():
    key = pem()
    answer = inspected({"deploy/id_rsa": key})
    (finding,) = answer.findings
    assert (finding.kind, finding.severity) == ("secrets.private_key", Severity.critical)
    assert finding.evidence == (
        Evidence(source="repo:deploy/id_rsa", locator="L1", quote="-----BEGIN RSA PRIVATE KEY-----"),
    )
    assert not any(line in everything(answer) for line in key.splitlines()[1:-1])


def test_a_private_key_folded_into_one_line_of_json_is_the_same_key():
    key = pem("")
    folded = key.replace("\n", "\\n")
    answer = inspected({"a.pem": key, "b.json": f'{{"private_key": "{folded}"}}'})
    assert [(f.count, f.severity) for f in answer.findings] == [(2, Severity.critical)]
    assert key[200:260] not in everything(answer)


def test_code_that_only_names_the_header_of_a_key_is_no_finding():
    code = 'HEADER = "-----BEGIN RSA PRIVATE KEY-----"\nFOOTER = "-----END RSA PRIVATE KEY-----"\n' + "x = 1\n" * 90
    assert inspected({"pem.py": code}).findings == ()


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        ("tests/conftest.py", "in a test fixture"),
        ("pkg/tests/data/a.json", "in a test fixture"),
        ("src/test_login.py", "in a test fixture"),
        ("examples/run.py", "in an example"),
        ("docs/usage.rst", "in documentation"),
        ("README.md", "in documentation"),
    ],
)
def test_a_key_in_a_test_or_a_page_is_of_low_severity(path: str, setting: str):
    (finding,) = inspected({path: f"key = '{AWS}'", "setup.py": ""}).findings
    assert finding.severity is Severity.low
    assert finding.claim.endswith(f"{setting}.")


def test_a_repository_called_after_tests_is_not_a_fixture():
    root = MemoryRoot("repo", {"test-service/setup.py": "", "test-service/app.py": f"key = '{AWS}'"})
    (finding,) = TOOL.run(Files({"repo": root}, ("repo:test-service",)), Inspect()).findings
    assert finding.severity is Severity.high


def test_the_same_secret_in_many_places_is_one_finding_as_bad_as_its_worst_place():
    files = {f"tests/t{n}.py": f"key = '{AWS}'" for n in range(30)} | {"app.py": f"key = '{AWS}'", "setup.py": ""}
    (finding,) = inspected(files).findings
    assert (finding.count, len(finding.evidence), finding.severity) == (31, 20, Severity.high)


@pytest.mark.parametrize(
    "line",
    [
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
        'aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"',
        "token = 'ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'",
        "api_key = 'your-api-key-goes-here-1234567890'",
        "password = 'changeme'",
        "SECRET_KEY = os.environ['SECRET_KEY_FOR_THE_APP_2024']",
        'next_page_token = "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"',
        'public_key = "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"',
        'password = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"',
        'secret = "projects/12345/secrets/database/versions/7"',
        'access_token = "00000000000000000000000000000000"',
        'api_key: "{{ lookup_the_api_key_v2 }}"',
        'token = "dGhpcyBpcyBqdXN0IHJlYWRhYmxlIHRleHQgMTIz"',
        "postgres://user:password@localhost/db",
    ],
)
def test_placeholders_references_and_hashes_are_no_findings(line: str):
    assert inspected({"config.ini": f"{line}\n"}).findings == ()


def test_a_github_token_with_a_false_checksum_is_made_up():
    made_up = github()[:-1] + ("a" if github()[-1] != "a" else "b")
    assert inspected({"a.txt": made_up}).findings == ()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "db_password = '{}'"),
        ("a.py", 'client(api_key="{}")'),
        ("a.json", '{{"clientSecret": "{}"}}'),
        ("a.ts", "const authToken: string = `{}`"),
        ("a.go", 'secretKey := "{}"'),
        (".env", "SERVICE_TOKEN={}"),
        ("a.yml", "  password: {}"),
        ("a.rb", "config['api_key'] = '{}'"),
    ],
)
def test_a_random_value_given_to_a_secret_s_name_is_found(path: str, line: str):
    value = drawn(32, seed=11)
    answer = inspected({path: line.format(value) + "\n"})
    assert [f.kind for f in answer.findings] == ["secrets.entropy"], line
    assert value not in everything(answer)


def test_a_random_password_in_an_address_is_found():
    value = drawn(20, seed=5)
    answer = inspected({"a.cfg": f"url = postgres://app:{value}@db.internal/app"})
    assert [f.kind for f in answer.findings] == ["secrets.address"]
    assert value not in everything(answer)


def test_two_secrets_on_one_line_are_both_masked_in_both_quotes():
    other = drawn(40, ALNUM + "/+", seed=4)
    answer = inspected({"a.env": f"ID={AWS} THE_OTHER={other}"})
    assert AWS not in everything(answer)
    assert other not in everything(answer)


def test_a_secret_in_a_huge_line_is_quoted_with_what_surrounds_it():
    answer = inspected({"bundle.min.js": "var a=1;" * 100_000 + f'k="{AWS}";' + "var b=2;" * 100_000})
    (finding,) = answer.findings
    assert f'k="AKIA{MASK}' in finding.evidence[0].quote
    assert len(finding.evidence[0].quote) <= 400


def test_a_secret_in_a_binary_or_behind_the_limit_is_a_stated_gap():
    answer = inspected({"a.bin": f"\0{AWS}", "b.txt": "text " * 1_100_000, "c.txt": "fine"})
    assert answer.examined == Examined(
        done=1,
        in_scope=2,
        unit="text files",
        left_out=("1 binary, not searched", "1 over 5 MB, only the start of each searched"),
    )
    assert answer.gaps == (
        "Files left out: 1 binary, not searched.",
        "Files left out: 1 over 5 MB, only the start of each searched.",
    )


def test_control_codes_and_odd_bytes_do_not_reach_a_quote():
    answer = inspected({"a.txt": f"\x1b[31m\x07k={AWS} é\x0b z\n"})
    assert answer.findings[0].evidence[0].quote == f"k=AKIA{MASK}{AWS[-2:]} é"


@pytest.mark.parametrize(
    "unit", ["-----BEGIN PRIVATE KEY-----", "PuTTY-User-Key-File-3: ", "eyJaaaaaaaaaaaa.", "token='"]
)
def test_no_text_takes_long(unit: str):
    assert inspected({"a.env": unit * (600_000 // len(unit))}).findings == ()


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=2000))
@example("-----BEGIN PRIVATE KEY-----" * 50)
@example("token='" + "a" * 1500 + "'")
@example("://a:" * 300 + "@")
def test_no_text_makes_it_fail(text: str):
    inspected({"a.env": text, "b.py": text})


@given(st.text(alphabet=ALNUM + "+/=_-", min_size=8, max_size=300), st.integers(0, 8))
def test_a_mask_hides_all_but_the_ends(secret: str, prefix: int):
    shown = masked(secret, prefix)
    start, _, end = shown.partition(MASK)
    assert secret.startswith(start)
    assert secret.endswith(end)
    assert len(end) <= 4
    assert len(start) <= max(prefix, 4)
    assert len(start) + len(end) < len(secret)


@given(st.text(alphabet=ALNUM + " ='\"/@:.,", max_size=200))
def test_a_masked_line_has_nothing_random_left(line: str):
    assert not any(looks_random(run) for run in re.split(r"[^A-Za-z0-9+/_=~-]+", masked_line(line)))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_drawn_at_random_looks_random(seed: int):
    assert looks_random(drawn(32, seed=seed))
    assert not looks_random("a_long_name_of_a_thing_2024")
    assert not looks_random("abcdefghijklmnopqrstuvwxyz0123456789")
