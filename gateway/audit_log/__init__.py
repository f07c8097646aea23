"""The audit log: chains of records, one for each process that writes. Docs: docs/audit.md."""
