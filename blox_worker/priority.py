"""How urgent a job may be."""

from __future__ import annotations

from typing import Final

MAX_PRIORITY: Final = 9  # trained first; Celery tells as many levels apart
