"""What `htpasswd -m` and `openssl passwd -apr1` have made."""

from __future__ import annotations

import pytest

from extproc.adapters.apache_md5 import apr1


@pytest.mark.parametrize(
    ("password", "hashed"),
    [
        ("secret", "$apr1$QgRQkTvO$R9x6XTUsCwwdeetsjxTYj."),
        ("", "$apr1$G446Ihy.$DLk3.sKvoeV49RHQ.rfqp1"),
        ("0123456789", "$apr1$iuKPeiL2$0KGnwkLwFNJgPlFYYM551/"),
        ("0123456789abcdef", "$apr1$.vDXZD87$v0wfRgbcjW2r/9swP28kN/"),
        (
            "a very long password with more than sixteen bytes in it",
            "$apr1$/HLqka41$usg.2JUhUksvqDKhlHHWK/",
        ),
        ("pässwörd", "$apr1$axRV7Mhq$ftL/wqe/wf2tuK3aO8HU90"),
        ("password", "$apr1$xxxxxxxx$dxHfLAsjHkDRmG83UXe8K0"),
        ("secret", "$apr1$ab$jiiV6N7hIIuIoJbc1hxOE/"),
    ],
)
def test_it_is_apaches(password: str, hashed: str) -> None:
    salt = hashed.split("$")[2]
    assert apr1(password.encode(), salt.encode()) == hashed
    assert apr1(password.encode() + b"x", salt.encode()) != hashed


def test_eight_bytes_of_the_salt_count() -> None:
    assert apr1(b"secret", b"12345678") == apr1(b"secret", b"123456789")
