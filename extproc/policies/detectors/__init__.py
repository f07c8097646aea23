"""Finders of personal data and of secrets: patterns find candidates, checks keep what is one."""
