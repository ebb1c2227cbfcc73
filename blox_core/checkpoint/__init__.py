"""Where a training stands, in memory and on disk; nothing is loaded before it is needed."""
