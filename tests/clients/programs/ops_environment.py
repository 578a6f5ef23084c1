"""What an environment says of itself, as gitpod-sdk 1.2.0 and ona-sdk 0.1.1 ask: SCENARIO ARGUMENTS, as JSON."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import pkgutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import gitpod.v1
import ona_sdk
from google.protobuf import symbol_database
from google.protobuf.message_factory import GetMessageClass
from ona_sdk import create_client_from_env
from ona_sdk.transport import ConnectTransport
from ops_parts import Ops, Result, environment, refusal, said, show


def workspace(environment_id: str, _arguments: Result) -> Result:
    """What the SDK knows of an environment before its first command."""
    found = environment(environment_id)
    ops = Ops(found)
    return {
        "workspaceDir": found.workspace_dir(),
        "environment": said(found.proto()),
        "refreshed": found.refresh().id,
        "opsUrl": found._ops_url,
        "capabilities": said(ops.call("ListCapabilities")),
    }


def git_status(environment_id: str, _arguments: Result) -> Result:
    """What the environment says of git before anybody has asked for it, and afterwards."""
    found = environment(environment_id)
    before = said(found.refresh().status.content)
    answered = said(Ops(found).call("GetGitStatus").status)
    return {
        "before": before.get("git"),
        "answered": answered,
        "after": said(found.refresh().status.content)["git"],
    }


def example(environment_id: str, arguments: Result) -> Result:
    """The SDK's own example, from the line that asks for the workspace to its last read, as it stands in the wheel."""
    # It puts the folder two above its own first on sys.path: that has to be where this SDK is.
    here = Path(ona_sdk.__file__).parents[1] / "examples/start_environment_and_run_command/main.py"
    names: Result = {"__name__": "example", "__file__": str(here)}
    source = Path(arguments["example"]).read_text()
    exec(compile(source, arguments["example"], "exec"), names)
    (main,) = [each for each in ast.parse(source).body if getattr(each, "name", "") == "main"]
    (work,) = [each for each in ast.walk(main) if isinstance(each, ast.Try)]
    names |= {"env": environment(environment_id), "environment_id": environment_id}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(work.body, []), arguments["example"], "exec"), names)
    return {"printed": printed.getvalue().splitlines(), "first": ast.unparse(work.body[0])}


def without_plane(environment_id: str, _arguments: Result) -> Result:
    """What needs a management plane."""
    environments = create_client_from_env().environments()
    return {
        "list": refusal(lambda: list(environments.list())),
        "start": refusal(lambda: environments.start(environment_id)),
        "stop": refusal(lambda: environments.stop(environment_id)),
        "delete": refusal(lambda: environments.delete(environment_id)),
        "create": refusal(lambda: environments.create("https://github.com/octocat/Hello-World")),
    }


def every_method(environment_id: str, arguments: Result) -> Result:
    """How the methods of the SDK's descriptors answer an empty request: `{code: {method: message}}`.

    `skip`: methods that are not asked.
    """
    for module in pkgutil.iter_modules(gitpod.v1.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"gitpod.v1.{module.name}")
    token = Ops(environment(environment_id))._transport.token
    transport = ConnectTransport(arguments["baseUrl"], token, timeout=10)
    answers: Result = {}
    for package in ("gitpod/v1", "supervisor/v1"):
        for service in _services(package):
            for method in service.methods:
                name = f"{service.full_name}/{method.name}"
                if name in arguments["skip"]:
                    continue
                refused = refusal(lambda s=service, m=method: _ask(transport, s, m)) or {
                    "code": "",
                    "message": "",
                }
                answers.setdefault(refused["code"], {})[name] = refused["message"]
    return answers


def _services(package: str) -> list:
    pool = symbol_database.Default().pool
    files = {getattr(m, "DESCRIPTOR", None) for name, m in sys.modules.items() if name.endswith("_pb2")}
    own = [file for file in files if file is not None and file.name.startswith(package)]
    return [pool.FindServiceByName(s.full_name) for file in own for s in file.services_by_name.values()]


def _ask(transport: ConnectTransport, service, method) -> None:
    request, answer = GetMessageClass(method.input_type)(), GetMessageClass(method.output_type)
    transport.unary(service.full_name, method.name, request, answer)


show({each.__name__: each for each in (workspace, git_status, example, without_plane, every_method)})
