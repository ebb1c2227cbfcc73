"""A release folder as a whole: its manifest, what its files hold, and how new ones come in."""
