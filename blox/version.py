"""The version of Blox; a module of its own because importlib.metadata takes 25 ms to load."""

from importlib.metadata import PackageNotFoundError, version

NOT_INSTALLED = "0+checkout"


def installed_version() -> str:
    """Return the version of the installed distribution, `0+checkout` where none is installed."""
    try:
        return version("blox")
    except PackageNotFoundError:
        return NOT_INSTALLED
