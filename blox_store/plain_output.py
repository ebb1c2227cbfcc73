"""What a terminal cannot show, in ASCII: drawings keep their shape, and no command fails for a character."""

from __future__ import annotations

import codecs
import sys
from functools import cache
from io import TextIOWrapper
from typing import Final

_NAME: Final = "blox-ascii"
_LIKENESSES: Final = {
    # In drawings a character for a character, so that what stands in columns still does.
    **dict.fromkeys("─━═", "-"),
    **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╞╡╪┏┓┗┛┡┩╇", "+"),
    "→": ">",
    "←": "<",
    "↑": "^",
    "↓": "v",
    "⊕": "+",
    "█": "#",
    # In words.
    "·": "-",
    "…": "...",
    "×": "x",  # noqa: RUF001
    "µ": "u",
    "±": "+-",
    "≤": "<=",
    "≥": ">=",
}


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the characters that an encoding lacks, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_LIKENESSES.get(character, "?") for character in lacking), error.end


class _AsciiEncoder(codecs.IncrementalEncoder):
    def encode(self, text: str, final: bool = False) -> bytes:
        return codecs.ascii_encode(text, _NAME)[0]


def _found(name: str) -> codecs.CodecInfo | None:
    """Return ASCII under a name of ours: click would write UTF-8 to a stream that is called ASCII."""
    if name != _NAME.replace("-", "_"):
        return None
    known = codecs.lookup("ascii")
    return codecs.CodecInfo(
        known.encode,
        known.decode,
        incrementalencoder=_AsciiEncoder,
        incrementaldecoder=known.incrementaldecoder,
        name=_NAME,
    )


@cache
def _register() -> None:
    codecs.register_error(_NAME, _in_ascii)
    codecs.register(_found)


def show_all_in_ascii_if_needed() -> None:
    """Write what the encoding of standard output or error lacks in ASCII, from now on."""
    _register()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_NAME if is_ascii else None, errors=_NAME)
