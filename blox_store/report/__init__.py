"""The report of a release: one page that explains it, with nothing to be fetched."""

from blox_store.report.page import report_page

__all__ = ["report_page"]
