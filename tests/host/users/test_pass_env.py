"""Which of root's variables another user's commands see."""

import os

import pytest

from supervisor.host.users import pass_env
from supervisor.host.users.pass_env import passed

ROOTS = {
    name: "x"
    for name in ("LANG", "https_proxy", "KUBECONFIG", "AWS_REGION", "AWS_SESSION_TOKEN", "spring.x", "A")
}


@pytest.mark.parametrize(
    ("of_image", "patterns", "expected"),
    [
        (False, (), "LANG https_proxy"),
        (True, (), "A AWS_REGION LANG https_proxy spring.x"),
        (False, ("spring.*", "?"), "A LANG https_proxy spring.x"),
        (False, ("*",), "A AWS_REGION AWS_SESSION_TOKEN KUBECONFIG LANG https_proxy spring.x"),
        (True, ("!*", "A*", "!AWS*"), "A"),
    ],
)
def test_last_pattern_that_fits_counts(of_image: bool, patterns: tuple[str, ...], expected: str) -> None:
    assert sorted(passed(ROOTS, patterns, of_image)) == expected.split()


@pytest.mark.parametrize(
    ("parent", "first", "environ", "expected"),
    [
        (1, "python", {}, True),
        (1, "tini", {}, True),
        (1, "systemd", {}, False),
        (1, "unknown", {"INVOCATION_ID": "x"}, False),
        (7, "bash", {}, False),
    ],
)
def test_variables_are_an_images_right_below_its_first_process(
    monkeypatch: pytest.MonkeyPatch, parent: int, first: str, environ: dict[str, str], expected: bool
) -> None:
    monkeypatch.setattr(os, "getppid", lambda: parent)
    monkeypatch.setattr(pass_env, "_first_process", lambda: first)
    assert pass_env.are_of_image(environ) is expected
