"""The language: what an operator writes, and what it means. Pure; imported by both processes."""
