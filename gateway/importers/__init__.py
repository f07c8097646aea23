"""Configurations of other gateways, turned into ours with nothing dropped silently."""
