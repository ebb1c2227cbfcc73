"""The store of a run, its releases, and the queries that a release answers."""
