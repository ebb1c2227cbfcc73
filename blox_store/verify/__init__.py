"""Checking a release folder."""
