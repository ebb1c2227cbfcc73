"""The types of what queries answer: of one architecture a number or None, of many an array.

A type checker sees the queries as these protocols; at run time each is the plain method.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, cast, overload

import numpy as np
from numpy.typing import NDArray

from blox_store.dataset.arch_argument import Archs, OneArch

Floats: TypeAlias = NDArray[np.float64]
Seed: TypeAlias = int | None


class _Curve(Protocol):
    @overload
    def __call__(
        self, arch: OneArch, epoch: int | None = ..., best: bool = ..., seed: Seed = ...
    ) -> float | None: ...
    @overload
    def __call__(
        self, arch: Archs, epoch: int | None = ..., best: bool = ..., seed: Seed = ...
    ) -> Floats: ...


class _Number(Protocol):
    @overload
    def __call__(self, arch: OneArch, seed: Seed = ...) -> float | None: ...
    @overload
    def __call__(self, arch: Archs, seed: Seed = ...) -> Floats: ...


class _Seconds(Protocol):
    @overload
    def __call__(
        self, arch: OneArch, epoch: int | None = ..., seed: Seed = ...
    ) -> int | float | None: ...
    @overload
    def __call__(self, arch: Archs, epoch: int | None = ..., seed: Seed = ...) -> NDArray[Any]: ...


class _CurveMethod(Protocol):
    def __get__(self, owner: Any, kind: Any = ...) -> _Curve: ...


class _NumberMethod(Protocol):
    def __get__(self, owner: Any, kind: Any = ...) -> _Number: ...


class _SecondsMethod(Protocol):
    def __get__(self, owner: Any, kind: Any = ...) -> _Seconds: ...


def of_curve(method: Callable[..., Any]) -> _CurveMethod:
    """Give a query of a curve its types."""
    return cast(_CurveMethod, method)


def of_number(method: Callable[..., Any]) -> _NumberMethod:
    """Give a query of a number a training its types."""
    return cast(_NumberMethod, method)


def of_seconds(method: Callable[..., Any]) -> _SecondsMethod:
    """Give a query of times its types."""
    return cast(_SecondsMethod, method)
