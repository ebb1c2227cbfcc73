"""Taking a release into the store."""
