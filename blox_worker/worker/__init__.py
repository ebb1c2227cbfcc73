"""What every worker does around its jobs: the loop, its presence, its display, when it is suspected."""
