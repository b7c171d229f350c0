"""Makes the lock files from pyproject.toml (`make lock`), and tells whether they still belong to it (`--check`).

Each lock names in its head the sha256 of the dependencies that it was made from: a changed list of dependencies with an
old lock fails the gate without asking any package index.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
MARK = "# dependencies sha256: "
# name of the lock → (source, further arguments)
LOCKS: dict[str, tuple[str, list[str]]] = {
    "base.txt": ("pyproject.toml", []),
    "test.txt": ("pyproject.toml", ["--extra=test", "--constraint=requirements/base.txt"]),
    "servers.txt": ("requirements/servers.in", []),
}
OPTIONS = ["--quiet", "--generate-hashes", "--allow-unsafe", "--strip-extras", "--no-emit-index-url"]
OPTIONS += ["--no-emit-find-links", "--no-header"]
HEAD = "# Made by `make lock` for Python 3.11; not to be edited by hand.\n"


def digest(source: str) -> str:
    """Hash of what the lock depends on, not of the whole file: settings of tools do not make a lock old."""
    path = ROOT / source
    if path.suffix == ".toml":
        project = tomllib.loads(path.read_text())["project"]
        parts = [project["requires-python"], project["dependencies"], project.get("optional-dependencies", {})]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def pins(text: str) -> dict[str, str]:
    """Package → version of a lock."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def complaints() -> list[str]:
    """Everything that is wrong with the locks, in sentences."""
    found = []
    texts = {name: (FOLDER / name).read_text() for name in LOCKS}
    for name, (source, _) in LOCKS.items():
        if MARK + digest(source) not in texts[name]:
            found.append(f"requirements/{name} was not made from the present {source}. Run: make lock")
        if foreign := re.search(r"\S*(?:://|--index-url|--find-links|--extra-index-url)\S*", texts[name]):
            found.append(f"requirements/{name} names a place to load from: {foreign.group()}")
        for package in re.split(r"\n(?=\S)", texts[name]):
            if "==" in package and "--hash=sha256:" not in package:
                found.append(f"requirements/{name} has no hash for {package.split()[0]}")
    tested = pins(texts["test.txt"])
    for package, version in pins(texts["base.txt"]).items():
        if tested.get(package) != version:
            found.append(
                f"{package} is {version} in base.txt and {tested.get(package, 'absent')} in test.txt. Run: make lock"
            )
    return found


def compile_locks(upgrade: list[str]) -> None:
    """Run pip-compile for every lock; versions already locked stay unless an upgrade is asked for."""
    # No mirror or wheel folder of this machine may decide which files are allowed.
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL")
    }
    environment |= {"PIP_CONFIG_FILE": os.devnull}
    for name, (source, more) in LOCKS.items():
        print(f"requirements/{name}", flush=True)
        command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *more, *upgrade]
        command += [f"--output-file=requirements/{name}", source]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        path = FOLDER / name
        # pip-tools 7 writes this warning although the hashes follow; it is of no use to a reader.
        body = re.sub(
            r"^# (?:WARNING: pip install will require|Consider using a hashable URL).*\n",
            "",
            path.read_text(),
            flags=re.M,
        )
        path.write_text(f"{HEAD}{MARK}{digest(source)}\n{body}")


if __name__ == "__main__":
    if "--check" not in sys.argv:
        compile_locks(sys.argv[1:])
    if wrong := complaints():
        sys.exit("\n".join(wrong))
