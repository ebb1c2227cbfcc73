import click
import pytest

from blox_worker.commands.init import parse_indices


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("7", [7]),
        ("0-3,77", [0, 1, 2, 3, 77]),
        ("5, 3 ,4-5", [3, 4, 5]),
        ("91124", [91_124]),
        ("0-91124", list(range(91_125))),
    ],
)
def test_indices_are_numbers_and_ranges(text, indices):
    assert parse_indices(text) == indices


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1,,2", "1.5", "1-2-3"])
def test_other_text_is_refused(text):
    with pytest.raises(click.BadParameter, match="numbers and ranges such as 0-9,77 are allowed"):
        parse_indices(text)


@pytest.mark.parametrize("text", ["91125", "5-3", "0-91125", "99999999999999999999"])
def test_indices_outside_the_space_are_refused(text):
    with pytest.raises(click.BadParameter, match="arch indices from 0 to 91124, the smaller first"):
        parse_indices(text)
