"""The payload of a `.blox` file in plain Python, slow and readable: the oracle for the C++ codec.

It follows docs/reference/release-format.md sentence by sentence and shares no code with the
package. Rows are lists of Python values, `types` maps each column, in order, to its type as a
header writes it.
"""

from __future__ import annotations

import re
import struct
from typing import Any


class Malformed(ValueError):
    """The bytes break the format."""


class Bytes:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise Malformed(f"{count} bytes needed at {self.at}")
        self.at += count
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")


def images(column: str) -> int:
    if "train" in column:
        return 45000
    return 5000 if "val" in column else 10000


def decode(payload: bytes, types: dict[str, str]) -> list[list[Any]]:
    """Return the rows of an inflated payload."""
    source = Bytes(payload)
    source.take(8)
    rows = []
    for _ in range(source.number(4)):
        rows.append([decode_field(source, types[name], images(name)) for name in types])
    if source.at != len(payload):
        raise Malformed("bytes are left")
    return rows


def decode_field(source: Bytes, kind: str, n: int) -> Any:
    if kind.startswith("list["):
        return decode_items(source, kind[len("list[") : -1], source.number(1), n)
    if kind.startswith("longlist["):
        return decode_items(source, kind[len("longlist[") : -1], length(source, 10_000), n)
    return decode_items(source, kind, 1, n)[0]


def length(source: Bytes, largest: int) -> int:
    number = source.number(4)
    if number > largest:
        raise Malformed("too long")
    return number


def decode_items(source: Bytes, kind: str, count: int, n: int) -> list[Any]:
    if kind.startswith(("b_", "n_")):
        return decode_accuracies(source, kind, count, n)
    return [decode_item(source, kind) for _ in range(count)]


def decode_item(source: Bytes, kind: str) -> Any:
    if kind == "hash":
        return f"{source.number(16):032x}"
    if kind == "int":
        return source.number(4)
    if kind == "float":
        return source.number(3) / 1_000_000
    if kind == "u8":
        return source.number(8)
    if kind == "f8":
        return struct.unpack("<d", source.take(8))[0]
    if kind == "text":
        return decode_text(source.take(length(source, 2**20)))
    if kind == "str":
        text = source.take(source.number(1))
        if not text.isascii():
            raise Malformed("no ASCII")
        return text.decode("ascii")
    assert kind == "arch"
    return [decode_cell(byte) for byte in source.take(3)]


def decode_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Malformed("no UTF-8") from error


def decode_cell(byte: int) -> list[list[int]]:
    op1, op2 = divmod(byte >> 3, 3)
    if op1 > 2:
        raise Malformed("no such op")
    return [[op1], [op2, (byte >> 2) & 1, (byte >> 1) & 1, byte & 1]]


def decode_accuracies(source: Bytes, kind: str, count: int, n: int) -> list[float]:
    minimum, _, bits, n = [*map(int, re.findall(r"\d+", kind)), n][:4]
    packed = source.number((count * bits + 7) // 8)
    counts = [(packed >> i * bits) % 2**bits + minimum for i in range(count)]
    if any(correct > n for correct in counts):
        raise Malformed("more correct images than there are")
    return [round(correct / n * 100, 3) for correct in counts]


def encode(rows: list[list[Any]], types: dict[str, str]) -> bytes:
    """Return the payload, not deflated, of rows."""
    body = len(rows).to_bytes(4, "little")
    for row in rows:
        for (name, kind), value in zip(types.items(), row, strict=True):
            body += encode_field(value, kind, images(name))
    return (8 * len(body)).to_bytes(8, "little") + body


def encode_field(value: Any, kind: str, n: int) -> bytes:
    if kind.startswith("list["):
        return bytes([len(value)]) + encode_items(value, kind[len("list[") : -1], n)
    if kind.startswith("longlist["):
        items = encode_items(value, kind[len("longlist[") : -1], n)
        return len(value).to_bytes(4, "little") + items
    return encode_items([value], kind, n)


def encode_items(values: list[Any], kind: str, n: int) -> bytes:
    if kind.startswith(("b_", "n_")):
        return encode_accuracies(values, kind, n)
    return b"".join(encode_item(value, kind) for value in values)


def encode_item(value: Any, kind: str) -> bytes:
    if kind == "hash":
        return int(value, 16).to_bytes(16, "little")
    if kind == "int":
        return int(value).to_bytes(4, "little")
    if kind == "float":
        return round(value * 1_000_000).to_bytes(3, "little")
    if kind == "u8":
        return int(value).to_bytes(8, "little")
    if kind == "f8":
        return struct.pack("<d", value)
    if kind == "text":
        return len(value.encode()).to_bytes(4, "little") + value.encode()
    if kind == "str":
        return bytes([len(value)]) + value.encode("ascii")
    assert kind == "arch"
    return bytes(encode_cell(*cell) for cell in value)


def encode_cell(first: list[int], second: list[int]) -> int:
    (op1,), (op2, prev, from_input, skip) = first, second
    return ((op1 * 3 + op2) << 3) | prev << 2 | from_input << 1 | skip


def encode_accuracies(values: list[float], kind: str, n: int) -> bytes:
    minimum, _, bits, n = [*map(int, re.findall(r"\d+", kind)), n][:4]
    packed = 0
    for i, value in enumerate(values):
        packed |= (round(value * n / 100) - minimum) << i * bits
    return packed.to_bytes((len(values) * bits + 7) // 8, "little")
