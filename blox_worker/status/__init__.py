"""How runs, jobs, workers and servers do: as values, as text and as metrics."""
