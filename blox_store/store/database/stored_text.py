"""Text from outside, made such that every database takes it."""

from __future__ import annotations

from blox_store.store.schema import NAME_LENGTH


def stored_text(text: str) -> str:
    """Return a text with escapes for what is no UTF-8, and for NUL, which PostgreSQL refuses."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def stored_name(text: str) -> str:
    """Return the part of a text that fits into a column for names."""
    return stored_text(text)[:NAME_LENGTH]
