"""Print the requirements of an extra of pyproject.toml, those of the extras it names included."""

import sys
import tomllib
from pathlib import Path


def requirements(project: dict, extra: str) -> list[str]:
    found = []
    for requirement in project["optional-dependencies"][extra]:
        if requirement.startswith("blox["):
            found += requirements(project, requirement[len("blox[") : -1])
        else:
            found.append(requirement)
    return found


if __name__ == "__main__":
    pyproject = tomllib.loads(Path("pyproject.toml").read_text())
    project = pyproject["project"]
    print("\n".join(project["dependencies"] + requirements(project, sys.argv[1])))  # noqa: T201
