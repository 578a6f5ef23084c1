"""The packaged list holds every endpoint of the platform's connectivity requirements, and nothing else."""

from __future__ import annotations

import re

from supervisor.doctor.endpoint_list import PACKAGED, Expect, Runner, read_listing
from supervisor.doctor.network.target import Circumstances, Target, targets
from tests.contract import ENDPOINTS

PLATFORM = ENDPOINTS.read_text(encoding="utf-8").partition("AMI Requirements")[0]
ADDRESS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
ENTRIES = read_listing(PACKAGED)
KNOWN = Circumstances("eu-central-1", "123456789012")


def named(text: str) -> list[str]:
    """What the requirements name, as the list writes it, in their order."""
    found = []
    protocol = "udp://{}:4242"
    for line in text.splitlines():
        urls = re.findall(r"https://\S+", line)
        if line.startswith("Instance Metadata"):
            protocol = "http://{}"
        if urls:
            found += urls
        elif re.fullmatch(ADDRESS, line):
            found.append(protocol.format(line))
        elif line.startswith("- ") and "URL" in line and "://" not in line:
            found.append(line.removeprefix("- "))
    return found


def between(heading: str, next_heading: str) -> list[str]:
    return named(PLATFORM.partition(f"\n{heading}\n")[2].partition(f"\n{next_heading}\n")[0])


def test_requirements_are_read_as_people_read_them() -> None:
    every = named(PLATFORM)

    assert len(every) == 57
    assert "udp://13.216.138.24:4242" in every
    assert "http://169.254.169.254" in every
    assert "Your metrics endpoint URL (HTTPS 443)" in every


def test_list_is_the_requirements_in_their_order() -> None:
    assert [entry.name for entry in ENTRIES] == named(PLATFORM)


def test_optional_is_what_the_requirements_call_optional() -> None:
    # The remark on an endpoint stands at the beginning of the line after it.
    (remarked,) = re.findall(r"(https://\S+)\n\(optional\)", PLATFORM)
    expected = {*between("Optional Services", "AWS Services"), remarked}

    assert {entry.name for entry in ENTRIES if not entry.required} == expected


def test_kind_of_runner_is_what_the_requirements_say() -> None:
    enterprise = set(re.findall(r"(https://\S+)\n\(Enterprise runners only\)", PLATFORM))
    assert "Not required for Enterprise runners" in PLATFORM
    standard = set(between("Gateway API Server", "VS Code"))

    assert {entry.name for entry in ENTRIES if entry.runner is Runner.ENTERPRISE} == enterprise
    assert {entry.name for entry in ENTRIES if entry.runner is Runner.STANDARD} == standard


def test_success_is_expected_of_files_alone() -> None:
    files = {entry.name for entry in ENTRIES if entry.expect is Expect.SUCCESS}

    assert files == {name for name in named(PLATFORM) if re.search(r"\w/(api|ec2|cli)/", name)}


def test_every_endpoint_can_be_tried_where_region_and_account_are_known() -> None:
    made = [each for each in targets(ENTRIES, KNOWN) if isinstance(each, Target)]
    tried = {f"{each.scheme}://{each.authority}{each.path}" for each in made}

    assert "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com/" in tried
    assert "https://us01.gitpod.dev:8443/" in tried
    assert not any(character in url for url in tried for character in "<>*")
    assert [each.endpoint.plane for each in made] == [True] + [False] * (len(made) - 1)
