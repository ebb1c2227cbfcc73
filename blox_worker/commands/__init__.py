"""The commands of `blox`, one verb a module."""

from __future__ import annotations

import logging

import click

from blox_worker.commands.demo import demo
from blox_worker.commands.init import init
from blox_worker.commands.migrate import migrate
from blox_worker.commands.status import status
from blox_worker.commands.train import train


@click.group()
@click.version_option(package_name="blox")
def command() -> None:
    """Make a Blox benchmark: train its architectures and watch them."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")


for _verb in (demo, init, migrate, status, train):
    command.add_command(_verb)
