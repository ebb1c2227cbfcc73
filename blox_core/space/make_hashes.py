"""The program that makes the table of model hashes.

`python -m blox_core.space.make_hashes` writes it again (24 s on one core); a test compares.
"""

from __future__ import annotations

from blox_core.space.architecture import SPACE_SIZE, Architecture
from blox_core.space.graph import graph_hash, minimal, model_graph
from blox_core.space.hash_table import PATH


def generate() -> bytes:
    """Return the table, computed from the graphs of the architectures."""
    return b"".join(digest(index) for index in range(SPACE_SIZE))


def digest(index: int) -> bytes:
    """Return the row of an architecture: the 16 bytes of its model hash."""
    graph = minimal(model_graph(Architecture(index).cells))
    assert graph is not None, "a canonical cell always has a path"
    return bytes.fromhex(graph_hash(graph))


def main() -> None:
    """Write the table into the package."""
    PATH.write_bytes(generate())


if __name__ == "__main__":
    main()
