"""Measured latencies, their devices, and what is known without training."""
