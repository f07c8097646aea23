"""Envoy's resources: pure builders from the model to the JSON form of Envoy's messages."""
