"""Commands that show how a cluster does."""
