"""What runs the jobs of a run: the local loop and the command line."""
