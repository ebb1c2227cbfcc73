"""What `make fuzz` has found or needs as seeds, replayed under the sanitizers of the C++ compiler."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODEC = ROOT / "blox_store" / "codec"
CORPUS = ROOT / "tests" / "assets" / "fuzz"


@pytest.mark.slow  # it compiles the codec
def test_the_corpus_finds_nothing(tmp_path: Path) -> None:
    sources = [path for path in CODEC.glob("*.cpp") if path.name != "bindings.cpp"]
    sources += [ROOT / "tests" / "fuzz" / name for name in ("codec.cpp", "replay.cpp")]
    program = tmp_path / "replay"
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(
        ["c++", "-std=c++17", "-g", *sanitizers, f"-I{CODEC}", *sources, "-o", program], check=True
    )
    inputs = sorted(CORPUS.iterdir())
    assert inputs
    ended = subprocess.run([program, *inputs], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
