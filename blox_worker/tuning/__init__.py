"""The sweep of `blox tune-gpu`."""
