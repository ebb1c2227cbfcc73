"""The data sets: digits for real, CIFAR from tiny files in its own format."""

from __future__ import annotations

import hashlib
import pickle
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torchvision import datasets

from blox_core.data import TrainingData, load_data
from blox_core.data.__main__ import FAILURE, SUCCESS, main
from blox_core.data.digits import enlarge
from blox_core.data.training_data import published_split
from blox_core.errors import DatasetMissing, ExtraMissing, RecipeError
from blox_core.recipe import Recipe, preset

TRAIN_INDICES_DIGEST = "6275bd7c7e59c701da7c2c23b506131f9b1e334b21e67852a165bdaedbceabb8"
VAL_INDICES_DIGEST = "5a973435aeb7fc7a371b520f998b90dc3a9a53631cf17c55707a4384097f2aa3"
TRAIN_FILE_IMAGES = 10  # in each file of a tiny data set
PIXELS = 3 * 32 * 32


class OldDtype:
    """Warns when it is unpickled, as numpy 2.4.0 does of CIFAR's own dtypes."""

    def __reduce__(self) -> Any:
        return warnings.warn, ("dtype(): align should be passed as Python or NumPy boolean",)


def planes(count: int, first: int) -> NDArray[np.uint8]:
    """Return images as CIFAR holds them: a row of red, then green, then blue pixels each."""
    return (np.arange(count * PIXELS).reshape(count, PIXELS) + 31 * first).astype(np.uint8)


def write_cifar(
    monkeypatch: pytest.MonkeyPatch, folder: Path, dataset: Any, labels_key: str
) -> list[bytes]:
    """Write a tiny data set, and have torchvision expect its files' MD5 sums; return the rows."""
    base = folder / dataset.base_folder
    base.mkdir(parents=True)
    rows: list[bytes] = []

    def write(name: str, content: object) -> str:
        data = pickle.dumps(content, protocol=2)
        (base / name).write_bytes(data)
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    for attribute in ("train_list", "test_list"):
        sums = []
        for name, _ in getattr(dataset, attribute):
            images = planes(TRAIN_FILE_IMAGES, len(rows))
            labels = [(len(rows) + i) % 10 for i in range(TRAIN_FILE_IMAGES)]
            sums.append(
                [name, write(name, {"data": images, labels_key: labels, "dtype": OldDtype()})]
            )
            rows += [row.tobytes() for row in images]
        monkeypatch.setattr(dataset, attribute, sums)
    meta = dataset.meta
    names = [f"class {number}" for number in range(10)]
    md5 = write(meta["filename"], {meta["key"]: names})
    monkeypatch.setattr(dataset, "meta", {**meta, "md5": md5})
    return rows


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("no network here")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


def small(name: str, train: int, val: int, test: int = TRAIN_FILE_IMAGES) -> Recipe:
    return replace(preset(name), train_images=train, val_images=val, test_images=test)


def test_published_split() -> None:
    train, val = published_split(preset("cifar100"))
    assert (len(train), len(val)) == (45_000, 5_000)
    assert hashlib.sha256(train.astype("<i8").tobytes()).hexdigest() == TRAIN_INDICES_DIGEST
    assert hashlib.sha256(val.astype("<i8").tobytes()).hexdigest() == VAL_INDICES_DIGEST


@pytest.mark.parametrize(
    ("name", "dataset", "labels_key", "sizes"),
    [
        ("cifar100", datasets.CIFAR100, "fine_labels", (8, 2)),
        ("cifar10", datasets.CIFAR10, "labels", (45, 5)),
    ],
)
def test_cifar(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    dataset: Any,
    labels_key: str,
    sizes: tuple[int, int],
) -> None:
    rows = write_cifar(monkeypatch, tmp_path, dataset, labels_key)
    data = load_data(small(name, *sizes), tmp_path)
    order = np.random.RandomState(0).permutation(sum(sizes))
    images = np.concatenate([data.train_images, data.val_images])
    labels = np.concatenate([data.train_labels, data.val_labels])
    assert [image.transpose(2, 0, 1).tobytes() for image in images] == [rows[i] for i in order]
    assert labels.tolist() == [i % 10 for i in order]
    assert [image.transpose(2, 0, 1).tobytes() for image in data.test_images] == rows[sum(sizes) :]
    assert (len(data.train_images), len(data.val_images)) == sizes


def test_cifar_of_another_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_cifar(monkeypatch, tmp_path, datasets.CIFAR100, "fine_labels")
    with pytest.raises(RecipeError, match=r"train_images \+ val_images = 50000: 10 is allowed"):
        load_data(preset("cifar100"), tmp_path)
    with pytest.raises(RecipeError, match=r"test data of images \(10, 32, 32, 3\)"):
        load_data(small("cifar100", 8, 2, test=9), tmp_path)


def test_missing_cifar(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing) as caught:
        load_data(preset("cifar100"), tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(tmp_path / "cifar-100-python") in message
    assert "train, test, meta" in message
    assert f"`python -m blox_core.data cifar100 {tmp_path}`" in message
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_corrupt_cifar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_cifar(monkeypatch, tmp_path, datasets.CIFAR100, "fine_labels")
    file = tmp_path / "cifar-100-python" / "test"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DatasetMissing, match="no intact copy"):
        load_data(small("cifar100", 8, 2), tmp_path)


@pytest.mark.usefixtures("no_network")
def test_download_without_a_network(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match=r"the download failed: .*no network here"):
        load_data(preset("cifar10"), tmp_path, download=True)


def test_digits() -> None:
    data = load_data(preset("digits"), "unused")
    assert [len(x) for x in (data.train_labels, data.val_labels, data.test_labels)] == [
        1_250,
        250,
        250,
    ]
    assert data.train_images.shape == (1_250, 32, 32, 3)
    assert (data.train_images.min(), data.train_images.max()) == (0, 255)
    scaled = data.train_images / 255
    recipe = preset("digits")
    assert scaled.mean() == pytest.approx(recipe.mean[0], abs=5e-5)
    assert scaled.std() == pytest.approx(recipe.std[0], abs=5e-5)


@pytest.fixture(scope="module")
def digits_of_scikit_learn() -> Any:
    """Return the digits as the library itself reads them, which takes a second to load."""
    from sklearn.datasets import load_digits

    return load_digits()


def test_digits_are_split_without_overlap(digits_of_scikit_learn: Any) -> None:
    data = load_data(preset("digits"), "unused")
    order = np.random.RandomState(0).permutation(1_797)
    labels = np.concatenate([data.train_labels, data.val_labels, data.test_labels])
    assert np.array_equal(labels, digits_of_scikit_learn.target[order[:1_750]])
    ink = digits_of_scikit_learn.images[order[:1_250]]
    assert np.array_equal(data.train_images[:, ::4, ::4, 0], enlarge(ink, 8)[..., 0])


def test_enlarging() -> None:
    ink = np.array([[[0.0, 1.0], [8.0, 16.0]]])
    large = enlarge(ink, 4)
    assert large.shape == (1, 4, 4, 3)
    assert large[0, :, :, 2].tolist() == [
        [0, 0, 16, 16],
        [0, 0, 16, 16],
        [128, 128, 255, 255],
        [128, 128, 255, 255],
    ]
    assert enlarge(ink, 3)[0, :, :, 0].tolist() == [[0, 0, 16], [0, 0, 16], [128, 128, 255]]


def test_more_digits_than_there_are() -> None:
    with pytest.raises(RecipeError, match="test_images = 1798: at most 1797 is allowed"):
        load_data(small("digits", 1_500, 250, test=48), "unused")


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ExtraMissing, match=r"scikit-learn .*pip install '\.\[demo\]'"):
        load_data(preset("digits"), "unused")


def test_digits_of_a_scikit_learn_without_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    lacks = r"scikit-learn with its datasets/data/digits.csv.gz is not installed \(there is no "
    with pytest.raises(ExtraMissing, match=lacks):
        load_data(preset("digits"), "unused")


def test_labels_that_the_recipe_does_not_know() -> None:
    images, labels = np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 10])
    data = TrainingData(
        train_images=images,
        train_labels=labels,
        val_images=images,
        val_labels=labels,
        test_images=images,
        test_labels=labels,
    )
    recipe = replace(small("digits", 2, 2, 2), resolution=8)
    with pytest.raises(RecipeError, match="train labels 0 to 10: the recipe allows 0 to 9"):
        data.check(recipe)


def test_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["digits", str(tmp_path)]) == SUCCESS
    assert capsys.readouterr().out == f"digits: 1250/250/250 images in {tmp_path}\n"


@pytest.mark.usefixtures("no_network")
def test_command_line_without_a_network(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["cifar10", str(tmp_path)]) == FAILURE
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("data set cifar10: the download failed: ")
