"""Certificates for servers that speak TLS."""

import subprocess
from pathlib import Path

_OPENSSL = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"


def made_certificate(folder: Path) -> Path:
    """Make a certificate of localhost, which signs itself, and its key; return their folder."""
    files = ["-keyout", folder / "key", "-out", folder / "certificate"]
    name = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*_OPENSSL.split(), *files, *name], check=True, capture_output=True)
    return folder
