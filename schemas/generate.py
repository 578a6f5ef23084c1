"""Generates `platform_wire/` from the `.proto` files beside this script: python schemas/generate.py [FOLDER].

The files keep the platform's paths (`gitpod/v1/event.proto`), which clients see in descriptors. The generated modules
do not: protoc would have them import `gitpod.v1.event_pb2` and `supervisor.v1...`; the first belongs to the platform's
client, the second to our own package. So all modules lie flat in one package, and what protoc wrote about their place
is replaced.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SCHEMAS = Path(__file__).resolve().parent
PACKAGE = "platform_wire"
WIRE = SCHEMAS.parent.joinpath(*PACKAGE.split("."))

# `from gitpod.v1 import event_pb2 as ...`, and the module's own name where messages are built.
PLACE = re.compile(
    r"^from (?:gitpod|supervisor)\.v1 import |(?<=')(?:gitpod|supervisor)\.v1\.(?=\w+_pb2')", re.MULTILINE
)


def generated(target: Path) -> None:
    """Writes the modules of all `.proto` files into an existing folder."""
    protos = sorted(SCHEMAS.glob("*/v1/*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        compile_protos(protos, Path(scratch))
        for module in sorted(Path(scratch).glob("*/v1/*.py*")):
            text = PLACE.sub(in_package, module.read_text("utf-8"))
            (target / module.name).write_text(text, "utf-8")


def compile_protos(protos: list[Path], target: Path) -> None:
    """Has protoc and its Connect plugin write their modules, below folders named like the proto packages."""
    plugin = shutil.which("protoc-gen-connectrpc", path=str(Path(sys.executable).parent))
    if plugin is None:
        raise SystemExit("cannot generate: no protoc-gen-connectrpc beside this Python; use .venv/bin/python")
    subprocess.run(
        [
            *(sys.executable, "-I", "-m", "grpc_tools.protoc"),
            f"--proto_path={SCHEMAS}",
            f"--python_out={target}",
            f"--pyi_out={target}",
            f"--plugin=protoc-gen-connectrpc={plugin}",
            f"--connectrpc_out={target}",
            "--connectrpc_opt=protobuf=google,io=async",
            *(str(proto.relative_to(SCHEMAS)) for proto in protos),
        ],
        cwd=SCHEMAS,
        check=True,
    )


def in_package(place: re.Match[str]) -> str:
    """What stands in our package for what protoc wrote."""
    return f"from {PACKAGE} import " if place[0].startswith("from ") else f"{PACKAGE}."


def main(target: Path) -> None:
    """Replaces the generated modules in the folder; what else is there stays."""
    for old in [*target.glob("*_pb2.py*"), *target.glob("*_connect.py")]:
        old.unlink()
    generated(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else WIRE)
