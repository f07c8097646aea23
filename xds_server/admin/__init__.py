"""What operators and probes may ask of a running gateway."""
