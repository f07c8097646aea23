"""One YAML text, or the files that begin with one, → Config, or every Problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.config.fetched import Documents, NotFetched
from gateway.config.files import Nowhere
from gateway.config.schema import Config
from gateway.config.sources import Loader, load_sources
from gateway.problem import Problem

_NOT_FETCHED = NotFetched()


def load(text: str, *, file: str, environment: Mapping[str, str]) -> Config | tuple[Problem, ...]:
    """Read, check, and say everything that is wrong. The text came alone: it can name no files."""
    loaded = Loader(Path(file), environment, files=Nowhere()).load_text(text)
    return loaded.problems if loaded.config is None else loaded.config


def load_file(
    path: Path, environment: Mapping[str, str], documents: Documents = _NOT_FETCHED
) -> Config | tuple[Problem, ...]:
    """The same for a file or folder, with all that it includes; see `load_sources`."""
    loaded = load_sources(path, environment, documents=documents)
    return loaded.problems if loaded.config is None else loaded.config
