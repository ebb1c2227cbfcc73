"""Commands that make a store, its runs, and the demo of it all."""
