"""Every link, anchor and path that pages, code and settings name leads somewhere."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[3]
TEXTS = {".md", ".py", ".toml", ".yml"}
TEXTS_BY_NAME = {"Makefile", ".env.example", "Dockerfile.gpu"}
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`(?:[^`\n]|\n(?!\n))*`")  # it may go on in the next line
LINK = re.compile(
    r"\]\(([^)\s]+)|^ *\[[^]]+\]: *(\S+)|(?:href|src|srcset)=\"([^\"\s]+)", re.MULTILINE
)
SCHEME = re.compile(r"[a-z]+:")
HEADING = re.compile(r"^#{1,6} +(.+)", re.MULTILINE)
SHOWN = re.compile(r"\[([^]]*)\]\([^)]*\)")
NAMED = re.compile(
    r"(?<![\w./-])(?:(?:docs|tests)/[\w./-]*\w|(?:benchmarks|blox_\w+|monitoring)/[\w./-]*\.\w+)"
)


def files_of(root: Path) -> list[Path]:
    """Return what git tracks or would track: a clone has nothing else."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    paths = (root / name for name in listed.split("\0") if name)
    return [path for path in paths if path.is_file()]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings of a page."""
    made: Counter[str] = Counter()
    found = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text())):
        words = re.sub(r"[^\w\- ]", "", SHOWN.sub(r"\1", heading).strip().lower())
        anchor = words.replace(" ", "-")
        found.add(f"{anchor}-{made[anchor]}" if made[anchor] else anchor)
        made[anchor] += 1
    return found


def broken_links(page: Path, known: set[Path]) -> Iterator[str]:
    """Yield the links of a page to files and headings that do not exist."""
    text = CODE.sub("", FENCE.sub("", page.read_text()))
    for link in map("".join, LINK.findall(text)):
        if SCHEME.match(link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if target not in known or (
            anchor and target.suffix == ".md" and anchor not in anchors(target)
        ):
            yield link


def faults(root: Path, files: list[Path]) -> list[str]:
    """Return what the files name that does not exist, as FILE: NAME."""
    folders = {folder for file in files for folder in file.parents}
    known = {*files, *(folder for folder in folders if folder.is_relative_to(root))}
    found = set()
    for file in files:
        if file.suffix not in TEXTS and file.name not in TEXTS_BY_NAME:
            continue
        dead = {name for name in NAMED.findall(file.read_text()) if root / name not in known}
        if file.suffix == ".md":
            dead |= set(broken_links(file, known))
        found |= {f"{file.relative_to(root)}: {name}" for name in dead}
    return sorted(found)


def test_everything_that_is_named_exists() -> None:
    found = faults(ROOT, files_of(ROOT))
    assert not found, "\n".join(found)


def test_every_fault_of_a_page_is_found(tmp_path: Path) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text("## A `heading` of [its own](page.md): one_word\n# Twice\n# Twice\n")
    gone = Path("tests", "gone.py")  # in one piece it would be a fault of this file
    page.write_text(
        "[it](other.md#a-heading-of-its-own-one_word) [both](other.md#twice-1) [itself](#here) [a\n"
        "folder](.) [far](https://example.org/#x) `[code](of.md)` `more\n[code](of.md)`\n"
        "# Here\n```sh\n# There\n[code](of.md)\n```\n"
        "[gone](gone.md) [thrice](other.md#twice-2) [there](#there) ![no](no.png) [out](..)\n"
        f'<img src="no.svg"> `{gone}`\n\n[below]: below.md\n'
    )
    broken = ["#there", "..", "below.md", "gone.md", "no.png", "no.svg", "other.md#twice-2", gone]
    assert faults(tmp_path, [page, other]) == [f"page.md: {name}" for name in broken]
