"""Cutting a release: from a run in the store to a release folder."""
