from __future__ import annotations

import hashlib

from gateway.identity import CertificateHolders
from gateway.model import ApiKey, Identity
from tests.gateway.config.loading import complaints, loaded, meant, problems, warned

DIGEST = hashlib.sha256(b"key-b").hexdigest()
KEYS = f"""
    identity:
      api_keys:
        keys:
          - name: a
            key: ${{KEY_A}}
            user: ada
            team: red
            groups: [x, y]
            tags: {{cost: "1"}}
            models: [fast, "gpt-*"]
            tools: ["g?thub__*"]
          - {{name: b, digest: {DIGEST}}}
    """


def test_keys_are_kept_as_digests() -> None:
    assert meant(KEYS, KEY_A="key-a").identity == Identity(
        (
            ApiKey(
                "a",
                hashlib.sha256(b"key-a").hexdigest(),
                "ada",
                "red",
                ("x", "y"),
                (("cost", "1"),),
                ("fast", "gpt-*"),
                ("g?thub__*",),
            ),
            ApiKey("b", DIGEST),
        ),
        is_required=True,
    )


def test_without_keys_nobody_has_to_show_one() -> None:
    assert meant("identity: {api_keys: {}}").identity == Identity()


def test_keys_that_are_made_at_run_time_are_asked_for_where_it_says_so() -> None:
    found = meant("identity: {api_keys: {enabled: true}}").identity
    assert found == Identity((), is_required=True, has_stored_keys=True)
    beside = "identity: {required: false, api_keys: {enabled: true, keys: [{name: a, key: k}]}}"
    both = meant(beside).identity
    assert ([key.name for key in both.api_keys], both.has_stored_keys) == (["a"], True)
    assert not both.is_required
    assert not meant(KEYS, KEY_A="a").identity.has_stored_keys


def test_a_scope_may_name_a_key_that_is_made_later() -> None:
    budgets = "budgets: [{name: b, for: {key: later}, limit: 1 USD, per: day}]"
    assert complaints(budgets) == ["budgets.0.for.key: no key 'later'"]
    loaded(f"identity: {{api_keys: {{enabled: true}}}}\n{budgets}")


def test_disabled_keys_open_no_door_and_close_none() -> None:
    text = "identity: {api_keys: {enabled: false, keys: [{name: a, key: k}]}}"
    assert meant(text).identity == Identity((), is_required=False)


def test_identity_can_be_left_to_choice() -> None:
    text = "identity: {required: false, api_keys: {keys: [{name: a, key: k}]}}"
    assert not meant(text).identity.is_required


def test_a_key_has_one_form() -> None:
    text = f"identity: {{api_keys: {{keys: [{{name: a}}, {{name: b, key: k, digest: {DIGEST}}}]}}}}"
    assert complaints(text) == [
        "identity.api_keys.keys.0: needs either key or digest",
        "identity.api_keys.keys.1: needs either key or digest",
    ]


def test_a_key_is_shown_neither_by_problems_nor_by_the_config() -> None:
    text = "identity: {api_keys: {keys: [{name: a, key: 'hunter 2', digest: hunter3}]}}"
    assert len(problems(text)) == 2
    assert "hunter" not in str(problems(text))
    assert "hunter2" not in repr(loaded("identity: {api_keys: {keys: [{name: a, key: hunter2}]}}"))


def test_certificates_say_who_holds_them() -> None:
    text = """
    identity:
      certificates:
        - {san: "spiffe://x/*", team: red, groups: [agents], tags: {cost: "7"}}
        - {san: [a.example.com, b.example.com], user: ann}
    """
    identity = meant(text).identity
    assert identity.certificates == (
        CertificateHolders(("spiffe://x/*",), "", "red", ("agents",), (("cost", "7"),)),
        CertificateHolders(("a.example.com", "b.example.com"), "ann"),
    )
    assert identity.is_required


def test_certificates_that_nobody_asks_for_are_warned_of() -> None:
    assert [each for each in warned("identity: {certificates: [{san: a}]}") if "ask" in each] == [
        "identity.certificates: no gateway asks for certificates"
    ]
