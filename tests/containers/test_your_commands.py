"""Every command line of the docs about containers was run by the tests before this one."""

import re

import pytest

from tests.containers.stack import RAN, ROOT

PAGES = (ROOT / "README.md", ROOT / "docs" / "how-to" / "cluster.md")
BLOCK = re.compile(r"^```shell\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Where there is no GPU; addresses, commits, and what is measured are a test's own.
OWN = re.compile(
    r" HEAD=\S+| BLOX_COMMIT=\S+"
    r"| --gpus \w+| --backend \S+| --sample \S+| --indices \S+| --set \S+"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_were_run(head, page):
    lines = [line for block in BLOCK.findall(page.read_text()) for line in block.splitlines()]
    assert lines
    ran = {OWN.sub("", line) for line in RAN}
    assert not {OWN.sub("", line) for line in lines} - ran
