"""The search space, its models, and how one of them is trained."""
