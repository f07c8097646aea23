"""Keys travel as secrets, and nowhere else."""

from __future__ import annotations

from gateway import names
from xds_server.render import to_json
from xds_server.resources.secrets import provider_secret


def test_a_secret_holds_the_key_under_the_providers_name() -> None:
    found = to_json(provider_secret("a", "sk-1"))
    assert found["name"] == names.provider_secret("a")
    assert found["generic_secret"]["secret"] == {"inline_string": "sk-1"}
