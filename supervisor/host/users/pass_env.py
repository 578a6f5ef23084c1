"""Which of root's variables another user's commands see: `--user` with `--pass-env`.

As pid 1 of an image, or below one, all: an image's ENV is meant for who works in it. Withheld are the names under which
programs keep credentials of the machine. Below systemd or a login shell the variables are root's own, and of those only
what every program needs passes. Patterns of the setting change both; of several that fit, the last counts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

WITHHOLD = "!"
"""Before a pattern: what fits does not pass."""
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
"""What pid 1 calls itself where it is no image's."""


def passed(environ: Mapping[str, str], patterns: Sequence[str], of_image: bool) -> dict[str, str]:
    """The variables that pass.

    Args:
        environ: root's.
        patterns: of the setting, as of `fnmatch`, each with WITHHOLD before it or not.
        of_image: whether the variables are those of an image.
    """
    from fnmatch import fnmatchcase  # here: most supervisors run commands as the user that they are

    rules = [*(_OF_AN_IMAGE if of_image else _OF_A_LOGIN), *patterns]
    kept = {}
    for name, value in environ.items():
        fitting = [rule for rule in rules if fnmatchcase(name, rule.removeprefix(WITHHOLD))]
        if fitting and not fitting[-1].startswith(WITHHOLD):
            kept[name] = value
    return kept


def are_of_image(environ: Mapping[str, str]) -> bool:
    """Whether our variables are those of an image: nobody but its pid 1 is between it and us."""
    return os.getppid() == 1 and "INVOCATION_ID" not in environ and _first_process() not in _SERVICE_MANAGERS


def _first_process() -> str:
    try:
        with open("/proc/1/comm", encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""
