"""The command that checks a release."""

from __future__ import annotations

from pathlib import Path

import click

from blox_store.command_line import HomePath
from blox_store.exit_codes import FAILURE
from blox_store.verify.verification import Verified, verify


@click.command()
@click.argument("folder", metavar="DIR", type=HomePath(path_type=Path))
def command(folder: Path) -> int:
    """Check a release: digests and counts by its manifest, and that all formats are equal."""
    verified = verify(folder)
    for file in verified.files:
        click.echo(
            f"{file.name}: {file.rows} rows, {file.bytes} bytes, read in {file.load_s:.3f} s"
        )
    for fault in verified.faults:
        click.echo(f"{folder}: {fault}", err=True)
    if not verified.faults:
        click.echo(_summary(folder, verified))
    return FAILURE if verified.faults else 0


def _summary(folder: Path, verified: Verified) -> str:
    by = "as its manifest says" if verified.has_manifest else "it has no manifest"
    return f"{folder}: {len(verified.files)} files, no fault; {by}"
