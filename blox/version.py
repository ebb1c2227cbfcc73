"""The version of Blox; a module of its own because importlib.metadata takes 25 ms to load."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

NOT_INSTALLED = "0+checkout"


def installed_version() -> str:
    """Return the version of the installed distribution, `0+checkout` where none is installed."""
    try:
        return version_of("blox")
    except PackageNotFoundError:
        return NOT_INSTALLED


version = installed_version()
