"""Texts without the passwords in them, for logs, errors and `blox status`."""

from __future__ import annotations

import re
from typing import Final

_SHOWN: Final = r"\1***"
# Up to the last `@`: where a password was not percent-encoded, too much is hidden, never too little.
_OF_URL: Final = re.compile(r"(://[^:@/\s]*:)\S*(?=@)")
_OF_OPTION: Final = re.compile(r"(?i)(password=)[^\s&'\"]+")


def without_passwords(text: str) -> str:
    """Return a text with `***` for the password of each URL, and of each `password=`."""
    return _OF_OPTION.sub(_SHOWN, _OF_URL.sub(_SHOWN, text))
