"""The whole stack under load: real Envoy, real workers, a real ledger."""
