"""The processes of a node: a launcher, its children, signals between them."""
