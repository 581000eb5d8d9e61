"""Lay the book's notebooks out for JupyterLab: ``python -m mtfl.sphinx_ext.lab _build/html/_sources lab``.

A copy is written anew when the book's notebook has changed, unless the reader has changed the copy: then it stays as it
is, and a line says so.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

from mtfl.sphinx_ext.notebooks import digest


def lay_out(source: Path, folder: Path) -> list[Path]:
    """Copy notebooks into a folder; return those that stay there out of date, because the reader has changed them."""
    folder.mkdir(exist_ok=True)
    kept = []
    for path in sorted(source.glob("*.ipynb")):
        target, new = folder / path.name, path.read_text("utf8")
        if target.exists():
            copy = nbformat.read(target, as_version=4)
            written = copy.metadata.get("mtfl", {}).get("written")
            if written == nbformat.reads(new, as_version=4).metadata.mtfl.written:
                continue  # the copy may have been run, and changed, but the book's is the same
            if written != digest(copy):
                kept.append(target)
                continue
        target.write_text(new, "utf8")
    return kept


if __name__ == "__main__":
    for path in lay_out(*map(Path, sys.argv[1:])):
        print(f"{path} has changes of yours and stays. The book's is newer: rename or remove yours to get it.")
