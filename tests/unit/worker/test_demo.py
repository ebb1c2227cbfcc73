from blox_core.space import OPS, Architecture
from blox_worker.demo import DEMO_INDICES, describe_cells


def test_the_demo_covers_all_ops_and_several_connectivities():
    cells = {cell for index in DEMO_INDICES for cell in Architecture(index).cells}
    assert len(DEMO_INDICES) == len(set(DEMO_INDICES)) == 8
    assert {op for cell in cells for op in cell[:2]} == set(range(len(OPS)))
    assert len({cell[2:] for cell in cells}) >= 4


def test_cells_are_described_in_words():
    assert describe_cells(0) == "conv→conv | conv→conv | conv→conv"
    # prev and input; input alone; input and skip
    assert describe_cells(13 + 45 * 10 + 2025 * 33) == "(mbconv+x)→conv | mbconv | mbconv∥mbconv"
    assert describe_cells(23) == "bconv→conv+skip | conv→conv | conv→conv"
