"""People with browsers log in, and their tokens are kept here (OpenID Connect Core, §3.1)."""
