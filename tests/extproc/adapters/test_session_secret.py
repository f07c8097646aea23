"""What sessions are sealed with, where nobody says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from extproc.adapters.session_secret import session_secret


def test_it_is_made_once_and_the_owners_alone(tmp_path: Path) -> None:
    first = session_secret(tmp_path)
    assert len(first) >= 32
    assert session_secret(tmp_path) == first
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_workers_that_start_together_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(session_secret, [tmp_path] * 8))) == 1
