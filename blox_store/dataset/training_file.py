"""A file of training results: curves over the epochs, and numbers at the end of a training."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_store.dataset.arch_argument import Indices, is_whole
from blox_store.dataset.lazy_file import ABSENT, LazyFile
from blox_store.errors import QueryError, ReleaseMismatch
from blox_store.release.columns import NumberColumn
from blox_store.release.known_columns import is_curve


def best_of(name: str) -> np.ufunc:
    """Return the function that takes the better of two values of a column.

    Unlike np.maximum and np.minimum it takes the number where the other one is NaN, so that the
    curve of a diverged training has a best value.
    """
    return np.fmin if name.endswith("loss") else np.fmax


class SameArchitectures:
    """Compares the architectures of files with those of the first one that was decoded."""

    def __init__(self) -> None:
        self._first: tuple[LazyFile, NDArray[np.bool_]] | None = None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Begin anew where a pickle is read: there nothing is decoded."""
        return type(self), ()

    def check(self, file: LazyFile, row_of: NDArray[np.int32]) -> None:
        """Raise ReleaseMismatch unless the file has the architectures of those before it."""
        here = row_of != ABSENT
        first, there = self._first = self._first or (file, here)
        differing = int((here != there).sum())
        if differing:
            raise ReleaseMismatch(
                f"{file.path} has {here.sum()} architectures and {first.path} {there.sum()}; "
                f"{differing} are in one of them only: they are not of one release "
                "(validate_data=False reads them all the same)"
            )


class TrainingFile(LazyFile):
    """A base or ext file of one seed."""

    def __init__(
        self, path: str | PathLike[str], architectures: SameArchitectures | None = None
    ) -> None:
        super().__init__(path)
        self._architectures = architectures
        self._curves: dict[tuple[str, bool], NumberColumn] = {}

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"architectures": self._architectures}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "architectures" in state:
            self._architectures, self._curves = state["architectures"], {}

    @property
    def epochs(self) -> int:
        """The number of epochs of every curve."""
        return int(self.header["epochs"])

    def check_architectures(self, row_of: NDArray[np.int32]) -> None:
        if self._architectures is not None:
            self._architectures.check(self, row_of)

    def load(self) -> None:
        """Decode the file now, and see that each list has an item for each epoch."""
        super().load()
        for name in self.columns:
            if is_curve(name):
                self.curve(name, False)

    def curve(self, name: str, best: bool) -> NumberColumn:
        """Return a curve (rows, epochs); with `best` every epoch holds the best one so far.

        Raises ReleaseCorrupt if the lists of the column do not have one item an epoch.
        """
        curve = self._curves.get((name, best))
        if curve is None:
            curve = self._curves[name, best] = self._made_curve(name, best)
        return curve

    def _made_curve(self, name: str, best: bool) -> NumberColumn:
        if best:
            better = best_of(name)
            return self.curve(name, False).apply(lambda held: better.accumulate(held, axis=1))
        column: NumberColumn = self.column(name, NumberColumn)

        def checked(held: NDArray[Any]) -> NDArray[Any]:
            if held.shape != (len(column), self.epochs):
                raise self.corrupt(f"column {name} is not a list of {self.epochs} numbers a row")
            return held

        return column.apply(checked)

    def at_end(self, name: str, best: bool) -> list[float | None]:
        """Return each arch index's last value of a curve, or its best one, None where absent."""
        key = (name, best)
        if key not in self._by_index:
            self._by_index[key] = self.scattered(self.last(name, best))
        return self._by_index[key]

    def last(self, name: str, best: bool) -> NumberColumn:
        """Return the last value (rows,) of a curve, or its best one."""
        self.position(None)
        if best:  # a fifteenth of what `curve` takes, which has the best one at every epoch
            better = best_of(name)
            return self.curve(name, False).apply(lambda held: better.reduce(held, axis=1))
        return self.curve(name, False).apply(lambda held: held[:, -1])

    def at_epoch(
        self, name: str, index: int | Indices, epoch: int | None, best: bool
    ) -> float | NDArray[np.float64] | None:
        """Return a curve's value at an epoch (None: the last), or the best one up to it.

        None where the architecture is absent; of many an array (n,).
        """
        if epoch is None and isinstance(index, int):
            return self.at_end(name, best)[index]
        position, rows = self.position(epoch), self.rows(index)
        if rows is None:
            return None
        value = self.curve(name, best).apply(lambda held: held[rows, position]).floats()
        return float(value) if isinstance(rows, int) else value

    def position(self, epoch: int | None) -> int:
        """Return the position of an epoch, counted from 1, in a curve; None means the last one.

        Raises QueryError unless the epoch is an integer from 1 to the last one.
        """
        return self.checked_epoch(self.epochs if epoch is None else epoch) - 1

    def checked_epoch(self, epoch: int) -> int:
        """Return an epoch; raise QueryError unless it is an integer from 1 to the last one."""
        if not is_whole(epoch) or not 1 <= epoch <= self.epochs:
            raise QueryError(f"epoch {epoch!r}: an integer from 1 to {self.epochs} is allowed")
        return int(epoch)
