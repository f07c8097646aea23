"""How these tests lay out files, and load what they have laid out."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from gateway.config.schema import Config
from gateway.config.sources import Loaded, load_sources


def write(folder: Path, **files: str) -> Path:
    """Files by their names, with `__` for `/` and the suffix `.yaml`; the folder."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
    return folder


def said(loaded: Loaded, folder: Path) -> list[str]:
    """The problems, with files relative to the folder."""
    return [str(each).replace(f"{folder}/", "") for each in loaded.problems]


def config_of(path: Path, **environment: str) -> Config:
    """What the files mean, or a failure that shows the Problems."""
    loaded = load_sources(path, environment)
    assert loaded.config is not None, "\n".join(map(str, loaded.problems))
    return loaded.config
