"""The queue: the two ends that know Celery and Redis, and Flower between them."""
