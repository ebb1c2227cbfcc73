"""Connections, transactions, the clock, and the revision of the schema."""
