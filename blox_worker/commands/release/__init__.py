"""Commands that explain architectures and releases."""
