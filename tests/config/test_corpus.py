"""Real files of public repositories: what the platform accepts is accepted, what it refuses is refused at its place."""

import json
from pathlib import Path

import pytest

from supervisor.config import load_file
from tests.contract import CORPUS, needs_corpus

# {file: the places (line, path) that must be named, all of them}
REFUSED = {
    "ArielleTolome-GeekoutVegas2026-16a788.yaml": {(56, "ports")},
    "Jaz-spec-Claude-test-dc9a69.yaml": {
        (2, "services.nextjs-dev"),
        (4, "services.nextjs-dev.start"),
        (5, "services.nextjs-dev.ready"),
        (6, "services.nextjs-dev.stop"),
        (7, "services.nextjs-dev.triggers"),
        (10, "services.storybook"),
        (12, "services.storybook.start"),
        (13, "services.storybook.ready"),
        (14, "services.storybook.triggers"),
        (50, "tasks.setup-environment.triggers"),
        (63, "tasks.fresh-install.triggers"),
        (72, "tasks.build-project.triggers"),
        (81, "tasks.run-tests.triggers"),
        (87, "tasks.run-tests-watch.triggers"),
        (96, "tasks.lint-and-fix.triggers"),
        (105, "tasks.type-check.triggers"),
        (114, "tasks.format-code.triggers"),
        (126, "tasks.sync-main.triggers"),
        (134, "tasks.create-feature-branch.triggers"),
        (153, "tasks.setup-database.dependencies"),
        (155, "tasks.setup-database.triggers"),
        (171, "tasks.reset-database.triggers"),
        (198, "tasks.show-team-info.triggers"),
    },
    "MatthewJamesBoyle-onaflix-demo-aa24ed.yaml": {
        (65, "services.catalog.dependsOn"),
        (134, "services.gitpod-flix.dependsOn"),
    },
    "PRAKASH3794-cicd_java_microservices-cf9768.yaml": {(2, "automations")},
    "Web4Jobs-boilerplate-mean-variance-standard-deviation-calculator-8b5b3f.yaml": {
        (6, "services.python-deps.triggeredBy[1]")
    },
    "gitpod-SE-terraform-bc9860.yaml": {
        (7, "services.terraform_init.triggeredBy[1]"),
        (34, "tasks.terraform_validate.triggeredBy[0]"),
    },
    "gitpod-SE-terraform-c0b2a6.yaml": {
        (6, "services.terraform_init.triggeredBy[0]"),
        (7, "services.terraform_init.triggeredBy[1]"),
        (17, "services.aws_auth_setup.triggeredBy[0]"),
        (32, "tasks.terraform_validate.init"),
        (35, "tasks.terraform_validate.triggeredBy[0]"),
    },
    "gitpod-SE-terraform-ed777a.yaml": {
        (7, "services.terraform_init.triggeredBy[1]"),
        (34, "tasks.terraform_validate.triggeredBy[0]"),
    },
    "hotai1806-request-header-parser-microservice-220a96.yaml": {(1, "image")},
    "hotai1806-request-header-parser-microservice-7062f7.yaml": {(4, "tasks.setup-app.init")},
}

WITHOUT_TRIGGERS = {"AutomatingSciencePipeline-Monorepo-6e2510.yaml", "farrahabreu-poser-ebf400.yaml"}


def files(verdict: str) -> list[str]:
    return sorted(path.name for path in (CORPUS / verdict).glob("*"))


@needs_corpus
def test_corpus_index_and_folders_agree() -> None:
    index = json.loads((CORPUS / "index.json").read_text())

    assert {f"{entry['verdict']}/{Path(name).name}" for name, entry in index.items()} == {
        f"{verdict}/{name}" for verdict in ("accepted", "rejected") for name in files(verdict)
    }
    assert set(files("rejected")) == REFUSED.keys()


@needs_corpus
@pytest.mark.parametrize("name", files("accepted"))
def test_accepted_file_decodes_without_an_error(name: str) -> None:
    loaded = load_file(CORPUS / "accepted" / name)

    assert loaded.file is not None
    assert not loaded.errors
    assert [problem.path for problem in loaded.warnings] == ([""] if name in WITHOUT_TRIGGERS else [])


@needs_corpus
@pytest.mark.parametrize("name", REFUSED)
def test_refused_file_names_every_reason_at_its_line(name: str) -> None:
    loaded = load_file(CORPUS / "rejected" / name)

    assert loaded.file is None
    assert {(problem.line, problem.path) for problem in loaded.errors} == REFUSED[name]
    assert len(loaded.errors) == len(REFUSED[name])
