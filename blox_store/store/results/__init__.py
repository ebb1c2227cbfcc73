"""Results of trainings, and the environments that they were made in."""
