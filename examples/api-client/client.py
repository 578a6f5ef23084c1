"""Start a task over the API and print its log until it has ended: client.py REFERENCE.

The socket that this uses needs no token: the kernel tells the supervisor who asks. Programs elsewhere use TCP, with
the header `Authorization: Bearer TOKEN`; `supervisor token` prints one, `supervisor status` the address.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

SERVICE = "gitpod.v1.EnvironmentAutomationService"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def call(path: str, method: str, **request: object) -> dict[str, Any]:
    """One call of a method, as JSON."""
    connection = UnixConnection(path)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"/{SERVICE}/{method}", json.dumps(request), headers)
    response = connection.getresponse()
    answer: dict[str, Any] = json.load(response)
    if response.status != 200:
        sys.exit(f"{method}: {answer['code']}: {answer['message']}")
    return answer


def print_log(path: str, url: str) -> None:
    """A log comes as it is written, and ends with what writes it."""
    connection = UnixConnection(path)
    connection.request("GET", urlsplit(url).path)
    response = connection.getresponse()
    while piece := response.read1():
        sys.stdout.write(piece.decode(errors="replace"))


def socket_path() -> str:
    """Where the running supervisor listens: `supervisor status` knows."""
    here = os.path.dirname(os.path.abspath(__file__))
    supervisor = os.path.join(here, "../../bin/supervisor")
    status = subprocess.run(
        [supervisor, "status", "--format", "json"], cwd=here, stdout=subprocess.PIPE, check=True
    )
    path: str = json.loads(status.stdout)["socket"]
    return path


def main(reference: str) -> None:
    """Start the task, print what it prints, then how it ended."""
    path = os.environ.get("SUPERVISOR_SOCKET") or socket_path()
    # Fields that are empty are not in the answer.
    tasks = call(path, "ListTasks", filter={"references": [reference]}).get("tasks", [])
    if not tasks:
        sys.exit(f"there is no task {reference}")
    execution = call(path, "StartTask", id=tasks[0]["id"])["taskExecution"]
    print_log(path, execution["status"]["logUrl"])
    ended = call(path, "GetTaskExecution", id=execution["id"])["taskExecution"]
    print(ended["status"]["phase"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
