"""What people, editors and git do to a repository, at random.

No two files get the same content, so nothing is a rename.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.workspace.git.real_repository import RealRepository

NAMES = ("a", "b/c", "b/d", "d", "d/e", "f g", "hüi")


def do_something(repository: RealRepository, dice: random.Random) -> None:
    name = dice.choice(NAMES)
    path = repository.top / name
    match dice.choice(["write", "write", "write", "link", "mode", "remove", "add", "unstage", "commit"]):
        case "write" | "link" as what:
            for parent in (*path.relative_to(repository.top).parents, Path(name)):
                place = repository.top / parent
                if place.is_symlink() or place.is_file() or (parent == Path(name) and place.is_dir()):
                    repository.git("rm", "-rfq", "--cached", "--ignore-unmatch", str(parent))
                    _remove(place)
            content = "".join(f"{dice.getrandbits(99)}\n" for _ in range(dice.randrange(1, 9)))
            repository.write(name, content[: -1 if dice.random() < 0.3 else None])
            if what == "link":
                path.unlink()
                path.symlink_to(f"{dice.getrandbits(99)}")
        case "mode" if path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode ^ 0o111)
        case "remove" if path.is_file() or path.is_symlink():
            path.unlink()
        case "add" if path.is_file() or path.is_symlink():
            repository.git("add", name)
        case "unstage":
            repository.git("rm", "-rfq", "--cached", "--ignore-unmatch", name)
        case "commit" if dice.random() < 0.3:
            repository.git("commit", "-qm", "x", "--allow-empty")


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        for inside in sorted(place.rglob("*"), reverse=True):
            _remove(inside)
        place.rmdir()
    else:
        place.unlink()
