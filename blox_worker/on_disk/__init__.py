"""Files that outlast a worker: checkpoints, and results that the store has not taken yet."""
