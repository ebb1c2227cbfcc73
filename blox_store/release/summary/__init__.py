"""The first of two passes over rows: what a file must know of all of them before it is written."""

from blox_store.release.summary.table_summary import TableSummary

__all__ = ["TableSummary"]
