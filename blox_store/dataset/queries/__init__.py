"""Queries of a data set: training metrics by architecture, and tables of many at once."""
