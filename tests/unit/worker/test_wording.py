import pytest

from blox_worker.wording import counted, describe_cells, duration, last_line, without_secrets


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 jobs"), (1, "1 job"), (2, "2 jobs"), (91_125, "91,125 jobs")]
)
def test_a_number_has_its_noun(number, text):
    assert counted(number, "job") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3.0, "0 s"),
        (0.4, "0 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (7199.0, "119 min"),
        (7200.0, "2 h 0 min"),
        (172_799.0, "47 h 59 min"),
        (180_000.0, "2 d 2 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (None, None),
        ("", ""),
        ("Trace\n  x\nBoom: y\n", "Boom: y"),
        ("lease expired", "lease expired"),
    ],
)
def test_the_last_line_says_what_was_wrong(error, line):
    assert last_line(error) == line


@pytest.mark.parametrize(
    ("text", "shown"), [(None, None), ("redis://:geheim@h:6379/0", "redis://:***@h:6379/0")]
)
def test_passwords_in_texts_of_others_are_not_shown(text, shown):
    assert without_secrets(text) == shown


def test_cells_are_described_in_words():
    assert describe_cells(0) == "conv→conv | conv→conv | conv→conv"
    # prev and input; input alone; input and skip
    assert describe_cells(13 + 45 * 10 + 2025 * 33) == "(mbconv+x)→conv | mbconv | mbconv∥mbconv"
    assert describe_cells(23) == "bconv→conv+skip | conv→conv | conv→conv"
