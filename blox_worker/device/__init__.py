"""The device of a worker: its GPU, its slot, its lock."""
