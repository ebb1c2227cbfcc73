"""Every name of the published package works, with its arguments in their order, or is listed as left out."""

from __future__ import annotations

import ast
import inspect
import random
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

import blox
import blox.model
from blox_core.errors import ArchitectureError, RecipeError
from blox_core.space import OPS, SPACE_SIZE, Architecture
from blox_store.errors import NotEncodable, ReleaseCorrupt

ROOT = Path(__file__).parents[3]
FACTS = (ROOT / "tests" / "assets" / "published-signatures.txt").read_text()
LINES = [line for line in FACTS.splitlines() if not line.startswith("#")]
LINE = re.compile(r"(?P<name>[\w.]+)(?:\((?P<arguments>.*)\))?(?:  \[(?P<kind>.*)\])?")
PAGE = (ROOT / "docs" / "reference" / "compatibility.md").read_text()
LEFT_OUT = PAGE.partition("## Names that are left out\n")[2].partition("\n## ")[0]
ARCH = [[[0], [0, 1, 0, 0]], [[2], [2, 1, 0, 1]], [[0], [1, 1, 1, 0]]]
OTHERWISE = ["bconv", "conv", "mbconv"]  # the numbers of the ops are 1, 2 and 0 then
RENUMBERED = [[[1], [1, 1, 0, 0]], [[0], [0, 1, 0, 1]], [[1], [2, 1, 1, 0]]]


def left_out() -> set[str]:
    """Return the full names that the page lists; a class stands for its members too."""
    sections = re.split(r"\bof (?=`blox\.)", LEFT_OUT, flags=re.IGNORECASE)[1:]
    found = set()
    for section in sections:
        module, *names = re.findall(r"`([\w.]+)`", section)
        found |= {f"{module}.{name}" for name in names}
    return found


def published_arguments(text: str) -> list[tuple[str, Any]]:
    """Return names and defaults, as an AST has them, without `self`."""
    (function,) = ast.parse(f"def f({text}): ...").body
    assert isinstance(function, ast.FunctionDef)
    names = [argument.arg for argument in function.args.args]
    defaults = [ast.literal_eval(default) for default in function.args.defaults]
    without = [inspect.Parameter.empty] * (len(names) - len(defaults))
    pairs = zip(names, without + defaults, strict=True)
    return [pair for pair in pairs if pair[0] != "self"]


def our_arguments(found: Any) -> list[tuple[str, Any]]:
    """Return names and defaults of what can be given by position."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    parameters = inspect.signature(found).parameters.values()
    return [(p.name, p.default) for p in parameters if p.kind in kinds and p.name != "self"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.partition("(")[0].split()[0])
def test_every_published_name_works_or_is_listed(line: str) -> None:
    facts = LINE.fullmatch(line)
    assert facts is not None
    name, arguments, kind = facts["name"], facts["arguments"], facts["kind"] or ""
    parents = {name.rsplit(".", cut)[0] for cut in range(name.count("."))}
    if parents & left_out():
        return
    _, module, *path = name.split(".")
    found: Any = import_module(f"blox.{module}")
    for part in path[:-1]:
        found = getattr(found, part)
    found = inspect.getattr_static(found, path[-1], None) or getattr(found, path[-1])
    if kind == "property":
        assert isinstance(found, property)
    elif kind in ("list", "int", "bool", "str"):
        assert type(found).__name__ == kind
    elif arguments is not None and not path[-1].startswith("__"):
        published = published_arguments(arguments)
        ours = our_arguments(found)
        assert ours[: len(published)] == published
        assert all(default is not inspect.Parameter.empty for _, default in ours[len(published) :])


def test_no_name_is_both_there_and_listed_as_left_out() -> None:
    listed = left_out() & {line.partition("(")[0].split()[0] for line in LINES}
    assert len(listed) > 15
    for name in listed - {"blox.model.Model.forward"}:  # without one of its arguments
        _, module, *path = name.split(".")
        assert not hasattr(import_module(f"blox.{module}"), path[0]) or path[0] == "Model"


def test_the_search_space_in_constants() -> None:
    space = blox.search_space
    assert space.all_ops == space.ops_no_zero == list(OPS)
    assert (space.default_nodes, space.default_stages, space.get_archs_with_zero()) == (2, 3, [])


def test_ops_in_another_order() -> None:
    space = blox.search_space
    assert space.get_search_space(OTHERWISE, 2, 3) == space.get_search_space()
    assert space.arch_vec_to_names(RENUMBERED, ops=OTHERWISE) == space.arch_vec_to_names(ARCH)
    drawn = space.get_random_architectures(20, OTHERWISE, None, None, 3)
    for renumbered, arch in zip(drawn, space.get_random_architectures(num=20, seed=3), strict=True):
        assert space.get_model_hash(renumbered, OTHERWISE) == space.get_model_hash(arch)
    assert next(space.get_all_architectures(OTHERWISE, 2, 3)) == [[[0], [0, 0, 0, 0]]] * 3


@pytest.mark.slow  # it makes all architectures
def test_all_architectures_with_ops_in_another_order() -> None:
    unique = blox.search_space.get_unique_architectures(OTHERWISE)
    assert len(unique) == SPACE_SIZE
    for index in random.Random(0).sample(range(SPACE_SIZE), 50):
        found = blox.search_space.get_model_hash(unique[index], OTHERWISE)
        assert found == Architecture(index).model_hash


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"nodes": 3}, "nodes 3: it must be 2"),
        ({"stages": 4}, "stages 4: it must be 3"),
        ({"ops": "conv"}, "must be a list of conv, mbconv, bconv"),
        ({"ops": ["conv", "zero", "bconv"]}, "must be a list of conv, mbconv, bconv"),
        ({"ops": ["conv", "conv", "bconv"]}, "must be a list of conv, mbconv, bconv"),
    ],
)
def test_another_search_space_is_refused(changed: dict[str, Any], message: str) -> None:
    space = blox.search_space
    for call in (
        space.get_search_space,
        space.get_unique_architectures,
        space.get_all_architectures,
        lambda **given: space.get_random_architectures(3, **given),
    ):
        with pytest.raises(ArchitectureError, match=message):
            call(**changed)


def test_nested_sequences() -> None:
    utils, flat = blox.utils, [0, 0, 1, 0, 0, 2, 2, 1, 0, 1, 0, 1, 1, 1, 0]
    assert utils.flatten(ARCH) == list(utils.recursive_iter(ARCH)) == flat
    assert blox.search_space.flatten is blox.graph_utils.flatten is utils.flatten
    assert utils.copy_structure(flat, ARCH) == utils.copy_structure(iter(flat), ARCH) == ARCH
    with pytest.raises(ValueError, match="14 items for a shape of 15"):
        utils.copy_structure(flat[1:], ARCH)
    assert utils.freeze(ARCH)[1] == ((2,), (2, 1, 0, 1))
    assert len({utils.freeze(ARCH), utils.freeze(ARCH)}) == 1
    assert utils.count(iter("abc")) == 3
    assert utils.get_first_n(iter("abc"), 2) == ["a", "b"]
    assert utils.get_first_n("abc", 5) == ["a", "b", "c"]
    assert utils.get_total_point(blox.search_space.get_search_space()) == 72**3 == 373_248
    assert list(utils.pairwise("abc")) == [("a", "b"), ("b", "c")]
    assert list(utils.pairwise("")) == []


def test_a_graph_that_keeps_its_dimensions() -> None:
    alone = [[[1], [2, 0, 1, 0]], *ARCH[1:]]  # the first op of stage 0 computes nothing
    graph, original = blox.graph_utils.get_model_graph(alone, keep_dims=True)
    smallest, _ = blox.graph_utils.get_model_graph(alone)
    assert graph is not None
    assert original is not None
    assert smallest is not None
    assert graph[1] == original[1]
    assert graph[0].shape == original[0].shape
    edges = {(graph[1][a], graph[1][b]) for a, b in zip(*graph[0].nonzero(), strict=True)}
    assert edges == {
        (smallest[1][a], smallest[1][b]) for a, b in zip(*smallest[0].nonzero(), strict=True)
    }
    assert not any(("mbconv", 0) in edge for edge in edges)
    nothing = blox.graph_utils.get_model_graph([[[1], [2, 0, 0, 0]], *ARCH[1:]], keep_dims=True)
    assert nothing[0] is None


def test_graphs_have_hashes() -> None:
    graphs = blox.graph_utils
    assert graphs.get_model_graph_np is graphs.get_model_graph
    for index in (0, 18639, SPACE_SIZE - 1):
        architecture = Architecture(index)
        graph, _ = graphs.get_model_graph(arch_vector=architecture.arch_vec)
        assert graphs.graph_hash(graph) == architecture.model_hash
        assert graphs.graph_hash_np(graph) == architecture.model_hash
        assert not graphs.is_empty(graph)
    assert graphs.is_empty(None)
    assert graphs.is_empty((graph[0] * 0, graph[1]))


@pytest.mark.parametrize("kind", ["base", "ext", "env", "info"])
def test_what_stands_behind_a_header_is_decoded_and_encoded(golden: Path, kind: str) -> None:
    (path,) = (golden / "release-e12").glob(f"blox-{kind}*.blox")
    header, rows = blox.io.read_dataset_file(filename=path)
    data = path.read_bytes()
    payload = data[data.index(b"\n---\n", 4) + 5 :]
    assert blox.io.decode(header, payload) == blox.io.decode(header, payload, fast=False) == rows
    encoded = blox.io.encode(header, rows)
    assert blox.io.decode(header, encoded) == rows
    with pytest.raises(ReleaseCorrupt):
        blox.io.decode(header, encoded[:-1])
    with pytest.raises(NotEncodable):
        blox.io.encode(header, [row[:-1] for row in rows])


def test_the_rows_of_a_csv_file_are_parsed(golden: Path) -> None:
    path = golden / "release-e12" / "blox-base-0.csv"
    header, rows = blox.io.read_dataset_file(path)
    text = path.read_bytes().partition(b"\n---\n")[2]
    assert blox.io.parse_csv(header, text) == blox.io.parse_csv(header, text.decode()) == rows
    with pytest.raises(ReleaseCorrupt, match="has no line end"):
        blox.io.parse_csv(header, text[:-3])


def test_a_model_knows_what_it_is() -> None:
    model = blox.model.Model(cfg=ARCH, num_classes=10, stem=4, imgsize=16)
    assert model.get_config() == ARCH
    assert model.get_model_hash() == blox.search_space.get_model_hash(ARCH)
    assert model.get_input_size() == (3, 16, 16)
    before = [parameter.clone() for parameter in model.parameters()]
    model.reset_parameters()
    assert not all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    renamed = blox.model.get_model(RENUMBERED, 10, stem=4, ops=OTHERWISE)
    assert isinstance(renamed, blox.model.Model)
    assert renamed.get_model_hash() == model.get_model_hash()
    assert renamed(torch.ones(2, 3, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize(
    "changed",
    [
        {"stem_kernel": 5},
        {"stem_stride": 2},
        {"stem_steps": 2},
        {"cells_per_stage": 2},
        {"scaling": 4},
        {"imgsize": 4},
        {"stem": 3},
        {"blocks": [1]},
        {"custom_stages": [1]},
    ],
)
def test_models_of_another_benchmark_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        blox.model.Model(ARCH, **changed)
