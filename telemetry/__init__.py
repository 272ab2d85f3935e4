"""Metrics for Prometheus; it knows the rest of the house only by shape."""
