"""What is replaced by ***, and what is not."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.bundle import shapes
from supervisor.bundle.masker import SHOWN, Masker
from supervisor.bundle.shapes import is_secret_name
from supervisor.model.spec import Docker, EnvVar

SECRET = "pl4nted-S3cret/value+1"
NOTHING = Masker(())
KNOWN = Masker([SECRET])

# Made up by hand; none opens anything.
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl"
SHAPES = {
    "a JWT": f"got {JWT} back",
    "a JWT without signature": f"got {JWT.rpartition('.')[0]}. back",
    "a bearer": "curl -H 'authorization: bearer pl4nted-S3cret'",
    "a bearer in a sentence": "refused: bearer pl4nted-S3cret is none",
    "a header": "> Authorization: Custom pl4nted-S3cret, x=pl4nted",
    "a header in JSON": '{"headers": {"Authorization": "Bearer pl4nted-S3cret"}}',
    "a cookie": "Set-Cookie: sid=pl4nted; Path=/; x=pl4nted",
    "a header of its own": "X-Gitpod-Auth-Token: pl4nted",
    "credentials in a URL": "cloning https://me:pl4nted@git.invalid/a.git",
    "a token in a URL": "cloning https://pl4nted@git.invalid/a.git",
    "a password with an @": "postgres://me:pl4nted@pl4nted@db.invalid/x",
    "a password with a slash": "postgres://me:pl4n/ted@db.invalid/x",
    "a query": "GET /x?access_token=pl4nted&y=1",
    "a signed URL": "https://b.s3.invalid/x?X-Amz-Credential=pl4nted&X-Amz-Signature=pl4nted",
    "a line of env": "DB_PASSWORD=pl4nted and pl4nted",
    "an export": "export STRIPE_KEY=pl4nted",
    "a line of env in lower case": "npm_config__authToken=pl4nted",
    "a variable before a command": "FOO=1 API_KEY=pl4nted make",
    "YAML": "  clientSecret: pl4nted",
    "quoted YAML": "  secret_key: 'pl4nted with blanks'",
    "JSON": '{"environmentToken":"pl4nted \\" pl4nted","x":1}',
    "JSON in JSON": '{"spec":"{\\"token\\":\\"pl4nted\\"}"}',
    "JSON on two lines": '"password":\n    "pl4nted"',
    "a list": "tokens: [pl4nted, pl4nted]",
    "an option": "mysql --password pl4nted --user me",
    "an option with =": "mysql --password=pl4nted",
    "a key of AWS": "AKIAPL4NTEDPL4NTEDXX",
    "a token of GitHub": "ghp_pl4ntedpl4ntedpl4nted",
    "a fine-grained token of GitHub": "github_pat_pl4ntedpl4nted_pl4nted",
    "a token of GitLab": "glpat-pl4ntedpl4ntedpl4n",
    "a token of Slack": "xoxb-pl4nted-pl4nted",
    "a webhook": "https://hooks.slack.com/services/pl4nted/pl4nted",
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----\npl4nted\npl4nted\n-----END OPENSSH PRIVATE KEY-----",
    "a private key on one line": r'"-----BEGIN PRIVATE KEY-----\npl4nted\n-----END PRIVATE KEY-----\n"',
    "a private key that is cut off": "-----BEGIN RSA PRIVATE KEY-----\npl4nted\npl4nt",
    "a variable of an item in a crash report": repr(EnvVar("COLOR", 'it\'s pl4nted, "pl4nted"')),
    "a container's variables in a crash report": repr(
        Docker("i", ("MODE=pl4n)ted", "X='pl4nted", "Y=pl4nted"))
    ),
    "a variable whose report is cut off": repr(EnvVar("COLOR", "pl4nted pl4nted"))[:-8],
    "a registry's login": '{"auths": {"r.invalid": {"auth": "pl4nted"}}}',
}


def text(content: str, masker: Masker = NOTHING) -> str:
    return masker.text(content.encode()).decode()


def is_hidden(shape: str) -> bool:
    shown = text(f"before\n{SHAPES[shape]}\nafter\n")
    return "pl4n" not in shown.lower() and JWT[:20] not in shown


@pytest.mark.parametrize("number", range(len(shapes.PATTERNS)))
def test_every_rule_is_needed(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "PATTERNS", shapes.PATTERNS[:number] + shapes.PATTERNS[number + 1 :])

    assert not all(map(is_hidden, SHAPES))


@pytest.mark.parametrize("shape", SHAPES)
def test_what_looks_like_a_secret_is_hidden(shape: str) -> None:
    shown = text(f"before\n{SHAPES[shape]}\nafter\n")

    assert is_hidden(shape)
    assert SHOWN in shown
    assert shown.startswith("before\n")


@pytest.mark.parametrize(
    "content",
    [
        "author: Jane",
        "listening on http://127.0.0.1:8080",
        "cannot read the key: no such file",
        "tokens are signed with a key",
        "SUPERVISOR_ENVIRONMENT_TOKEN_FILE=/etc/token",
        "--token-file /etc/token",
        "PWD=/workspace",
        "monkey: banana",
        "mail me@example.com",
        "asia-northeast1-docker.pkg.dev/x, msg.example.com-and-more",
        "https://example.com/@scope/package and me@example.com",
        "http://localhost:4873/@scope/package?x=y@z",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(content: str) -> None:
    assert text(content) == content


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps({"x": SECRET}),
        quote(SECRET, safe=""),
        SECRET.encode().hex(),
        *(base64.b64encode(b"x" * lead + SECRET.encode()).decode() for lead in range(3)),
        *(base64.urlsafe_b64encode(b"x" * lead + SECRET.encode() + b"yy").decode() for lead in range(3)),
    ],
)
def test_known_value_is_hidden_however_it_is_written(written: str) -> None:
    shown = text(f"echo {written} .", KNOWN)

    assert SHOWN in shown
    assert len(shown) < len(f"echo {written} .") - len(SECRET) + 8


def test_lines_of_a_known_value_are_hidden_one_by_one() -> None:
    masker = Masker(["first line of it\nsecond line of it"])

    assert text("> first line of it\n> second line of it\n", masker) == f"> {SHOWN}\n> {SHOWN}\n"


@given(
    st.text("ab \n", max_size=60),
    st.sampled_from([SECRET, "Bearer abcdefgh1234", "TOKEN=abcdefgh1234", f"x {JWT} y"]),
    st.text("ab \n", max_size=60),
    st.integers(0, 200),
)
def test_no_cut_shows_a_part_of_a_secret(before: str, secret: str, after: str, cut: int) -> None:
    data = f"{before}{secret}{after}".encode()
    shown = KNOWN.text(data, min(cut, len(data))).decode()

    for piece in ("pl4n", "S3cr", "alue", "abcdefgh", "fgh1234", "eyJ", "hbGci", "sdWIi", "c2ln"):
        assert piece not in shown


@given(st.integers(1, 60))
def test_key_whose_beginning_is_cut_off_is_hidden(cut: int) -> None:
    key = b"-----BEGIN EC PRIVATE KEY-----\npl4nted\npl4nted\n-----END EC PRIVATE KEY-----\nafter\n"

    shown = NOTHING.text(key, cut)

    assert b"pl4n" not in shown
    assert shown.endswith(b"after\n")


def test_value_that_is_still_being_written_is_held_back() -> None:
    assert KNOWN.text(f"log {SECRET[:9]}".encode(), final=False) == b"log "


def test_document_hides_by_name_and_stays_json() -> None:
    value = {
        "token": "pl4nted",
        "credentials": {"a": ["pl4nted"]},
        "secretId": None,
        "keys": 3,
        "nested": json.dumps({"apiKey": "pl4nted", "x": SECRET}),
        "env": [{"_": "EnvVar", "name": "COLOR", "value": "pl4nted"}],
        "runs_on": {"_": "Docker", "image": "i", "environment": ["MODE=pl4nted", "OTHER"]},
        "spec": {
            "env": [{"name": "COLOR", "value": "pl4nted"}, {"name": "S", "valueFrom": {"secretRef": 1}}]
        },
        "command": "curl -H 'Authorization: Bearer pl4nted1'",
        SECRET: 1,
    }
    shown = KNOWN.document(value)
    read = json.loads(shown)

    assert b"pl4n" not in shown
    assert (read["secretId"], read["keys"]) == (None, 3)
    assert read["env"] == [{"_": "EnvVar", "name": "COLOR", "value": SHOWN}]
    assert read["spec"]["env"][0] == {"name": "COLOR", "value": SHOWN}
    assert read["runs_on"]["environment"] == [f"MODE={SHOWN}", f"OTHER={SHOWN}"]


@given(st.binary(max_size=300))
def test_any_bytes_can_be_masked(data: bytes) -> None:
    KNOWN.text(data, min(3, len(data)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [b"a", b"token", b"--a", b"x://", b"ey", b"-----BEGIN PRIVATE KEY-----", b"a-", b"auth=", b" ", b"\n", b'"', b"\\",
     b"token='", b'token="', b"token=[", b"x-a-", b"cookie", b"export "],
)  # fmt: skip
def test_time_grows_with_the_text_and_not_with_its_square(unit: bytes) -> None:
    def seconds(size_bytes: int) -> float:
        data = unit * (size_bytes // len(unit))
        began = time.process_time()
        NOTHING.text(data)
        return time.process_time() - began

    seconds(1000)
    # Four times the text; its square would take sixteen times as long.
    assert seconds(256_000) < 10 * max(seconds(64_000), 0.05)


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("GITHUB_TOKEN", True), ("apiKey", True), ("DB_PASSWORD", True), ("AWS_SECRET_ACCESS_KEY", True),
        ("DEPLOY_KEY", True), ("KEY", True), ("key", False), ("MONKEY_COUNT", False), ("author", False),
        ("DB_PWD", True), ("PWD", False), ("OLDPWD", False), ("TOKEN_FILE", False), ("SENTRY_DSN", True),
    ],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret
