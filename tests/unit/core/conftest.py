"""What stands for a GPU in the tests of what is recorded there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace what recording asks of a GPU; return a list of what it asked."""
    asked: list[str] = []

    class Stream:
        def wait_stream(self, other: Stream) -> None:
            asked.append("wait")

    class Graph:
        def replay(self) -> None:
            asked.append("replay")

    @contextmanager
    def within(what: str) -> Iterator[None]:
        asked.append(what)
        yield

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: within("warm-up"))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(
        torch.cuda, "graph", lambda _, capture_error_mode: within(capture_error_mode)
    )
    return asked
