"""Which of root's variables another user's commands see: `--user` with `--pass-env`.

As pid 1 of an image, or below it, all pass, since an image's ENV is meant for the people who work in it; except names
under which programs keep credentials of the machine. Below systemd or a login shell the variables are root's own, and
only those pass that every program needs. Patterns of the setting change both lists; the last one that matches counts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

WITHHOLD = "!"
"""Before a pattern: names that match do not pass."""
_OF_A_LOGIN = (
    *("PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "COLORTERM", "NO_COLOR", "EDITOR", "VISUAL", "PAGER"),
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("GITPOD_*", "ONA_*"),
)
_OF_AN_IMAGE = (
    "*",
    *("!AWS_*", "AWS_REGION", "AWS_DEFAULT_REGION", "!AZURE_*", "!ARM_*", "!CLOUDSDK_*"),
    *("!GOOGLE_APPLICATION_CREDENTIALS", "!GOOGLE_CREDENTIALS", "!GCLOUD_KEYFILE_JSON"),
    *(
        "!KUBECONFIG",
        "!CREDENTIALS_DIRECTORY",
        "!DOCKER_AUTH_CONFIG",
        "!DOCKER_CONFIG",
        "!REGISTRY_AUTH_FILE",
    ),
    *(
        "!VAULT_*",
        "!CONSUL_*",
        "!NOMAD_TOKEN",
        "!GITHUB_TOKEN",
        "!GH_TOKEN",
        "!GITLAB_TOKEN",
        "!KRB5CCNAME",
        "!NETRC",
    ),
)
_SERVICE_MANAGERS = ("systemd", "init", "openrc-init", "runit", "s6-svscan")
"""The names of pid 1 where it is not an image's."""


def passed(environ: Mapping[str, str], patterns: Sequence[str], of_image: bool) -> dict[str, str]:
    """The variables that pass.

    Args:
        environ: root's.
        patterns: those of the setting, see `fnmatch`; each may begin with WITHHOLD.
        of_image: whether the variables are an image's.
    """
    rules = [*(_OF_AN_IMAGE if of_image else _OF_A_LOGIN), *patterns]
    kept = {}
    for name, value in environ.items():
        fitting = [rule for rule in rules if fnmatchcase(name, rule.removeprefix(WITHHOLD))]
        if fitting and not fitting[-1].startswith(WITHHOLD):
            kept[name] = value
    return kept


def are_of_image(environ: Mapping[str, str]) -> bool:
    """Whether our variables are an image's: our parent is its pid 1."""
    return os.getppid() == 1 and "INVOCATION_ID" not in environ and _first_process() not in _SERVICE_MANAGERS


def _first_process() -> str:
    try:
        with open("/proc/1/comm", encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""
