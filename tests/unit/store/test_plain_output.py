"""What a terminal's encoding lacks is shown in ASCII."""

from __future__ import annotations

import io
import sys

import pytest

from blox_store.plain_output import show_all_in_ascii_if_needed


def shown(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch, name: str = "stdout") -> str:
    """Return what a program that prints a text shows where its output has this encoding."""
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding=encoding)
    monkeypatch.setattr(sys, name, stream)
    show_all_in_ascii_if_needed()
    print(text, file=stream, flush=True)
    return data.getvalue().decode(encoding)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_drawings_keep_their_shape(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    drawing = "  ╭──→ conv ─╮\n x┤          ⊕ 3\n  ╰─────────↑"
    ascii_drawing = "  +--> conv -+\n x+          + 3\n  +---------^"
    assert shown(drawing, "ascii", monkeypatch, name) == f"{ascii_drawing}\n"
    assert shown(drawing, "utf-8", monkeypatch, name) == f"{drawing}\n"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", "a00007 - 0.1 us, 1, 2, ..., ??"),
        ("iso8859-1", "a00007 · 0.1 µs, 1, 2, ..., é?"),
        ("cp1252", "a00007 · 0.1 µs, 1, 2, …, é?"),
    ],
)
def test_only_what_an_encoding_lacks_is_replaced(
    monkeypatch: pytest.MonkeyPatch, encoding: str, expected: str
) -> None:
    assert shown("a00007 · 0.1 µs, 1, 2, …, é\N{SNOWMAN}", encoding, monkeypatch) == f"{expected}\n"


def test_an_output_that_is_no_file_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    show_all_in_ascii_if_needed()
    sys.stdout.write("→")
    assert text.getvalue() == "→"


def test_bytes_that_are_no_text_stay_an_error() -> None:
    show_all_in_ascii_if_needed()
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", errors="blox-ascii")
