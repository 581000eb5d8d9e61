"""Lay the book's notebooks out for JupyterLab, in the folder lab: as the site shows them, with the chapters' data.

    python book/lab.py

A copy is written anew when the book's has changed, unless the reader has changed the copy: then it stays as it is, and
a line says so.
"""

from __future__ import annotations

from pathlib import Path

import nbformat

from mtfl.sphinx_ext.notebooks import digest

ROOT = Path(__file__).resolve().parents[1]


def lay_out(source: Path, folder: Path) -> list[str]:
    """Copy notebooks into a folder; return the names of those that stay there out of date, for their changes."""
    folder.mkdir(exist_ok=True)
    kept = []
    for path in sorted(source.glob("*.ipynb")):
        target, new = folder / path.name, path.read_text("utf8")
        if target.exists():
            copy = nbformat.read(target, as_version=4)
            written = copy.metadata.get("mtfl", {}).get("written")
            if written == nbformat.reads(new, as_version=4).metadata.mtfl.written:
                continue  # perhaps run, or changed, since; but the book's is the same
            if written != digest(copy):
                kept.append(path.name)
                continue
        target.write_text(new, "utf8")
    return kept


if __name__ == "__main__":
    lab = ROOT / "lab"
    for name in lay_out(ROOT / "_build" / "html" / "_sources", lab):
        print(f"lab/{name} has changes of yours and stays. The book's is newer: rename or remove yours to get it.")
    data = lab / "data"
    if not data.exists():
        data.symlink_to(Path("..", "book", "data"), target_is_directory=True)
