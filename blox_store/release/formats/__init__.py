"""The payloads of release files, one module a format."""
