"""A proxy before PostgreSQL that loses the server's word that a statement was committed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_SOCKET: Final = ".s.PGSQL.5432"
_BYTES: Final = 65_536
RESULT: Final = b"INSERT INTO results"
CLAIM: Final = b"claimed_epoch=jobs.epoch"
_COMMITTED: Final = b"COMMIT\0"  # the tag of the server's CommandComplete


class LossyProxy:
    """Passes connections on to a server's socket, and cuts the first that commits a statement.

    The server has then committed, and the client is not told.
    """

    def __init__(self, folder: Path, server_folder: Path, statement: bytes) -> None:
        self.cuts = 0
        self._statement = statement
        self._server = str(server_folder / _SOCKET)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _SOCKET))
        self._listener.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # shut down
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        writes_it = threading.Event()
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._server)
            sending = threading.Thread(
                target=self._send, args=(client, server, writes_it), daemon=True
            )
            sending.start()
            self._answer(server, client, writes_it)
            for end in (client, server):
                end.shutdown(socket.SHUT_RDWR)
            sending.join()

    def _send(
        self, client: socket.socket, server: socket.socket, writes_it: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := client.recv(_BYTES):
                if self._statement in data:
                    writes_it.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _answer(
        self, server: socket.socket, client: socket.socket, writes_it: threading.Event
    ) -> None:
        while data := server.recv(_BYTES):
            if not self.cuts and writes_it.is_set() and _COMMITTED in data:
                self.cuts += 1
                return
            client.sendall(data)


@contextmanager
def lossy_proxy(
    folder: Path, server_folder: Path, statement: bytes = RESULT
) -> Iterator[LossyProxy]:
    """Run a proxy with its socket in a folder; `server_folder` has PostgreSQL's own.

    `statement` is a part of what it waits for, and as PostgreSQL gets it.
    """
    proxy = LossyProxy(folder, server_folder, statement)
    try:
        yield proxy
    finally:
        proxy.close()
