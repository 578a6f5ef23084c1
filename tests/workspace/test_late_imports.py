"""The worker imports everything before it becomes the user, who need not be able to read the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import importlib, json, os, socket, sys
sys.path.insert(0, {root!r})
from supervisor.workspace import worker
from supervisor.workspace.jobs import Job, STREAM, UNARY
from supervisor.workspace.methods import MODULES
from supervisor.workspace.worker import ServedCall, Worker, _explained
for name in MODULES:
    importlib.import_module(name)
before = set(sys.modules)
ours, its = socket.socketpair()
serving = Worker(ours)
said = {{}}
for method in UNARY:
    for form, requests in (("json", (b'{{"path": "f"}}', b'{{"path": "missing/x"}}', b"{{}}", b"{{", b'{{"path": 1}}')),
                           ("proto", (b"", b"\\n\\x01f", b"\\xff"))):
        for request in requests:
            call = ServedCall(1, method, form, Job({workspace!r}))
            call.pieces.append(request)
            try:
                serving._answer(call)
            except BaseException as error:
                said[f"{{method}} {{form}} {{request}}"] = _explained(error, method)[0]
_explained(KeyError("of ours"), "Find")
for kind, function in STREAM.values():
    messages = function(kind(), Job({workspace!r}))
    next(messages)
    messages.close()
late = sorted(set(sys.modules) - before)
print(json.dumps({{"late": late, "internal": [name for name, code in said.items() if code == "internal"]}}), flush=True)
os._exit(0)
"""


def test_nothing_is_imported_once_the_worker_is_the_user(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    program = PROGRAM.format(root=str(Path(__file__).parents[2]), workspace=str(tmp_path))

    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", program],
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        check=True,
    )

    assert json.loads(done.stdout) == {"late": [], "internal": []}
