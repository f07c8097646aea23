"""Policies tried on requests that are written down: `dragoman test` and `dragoman cel`."""
