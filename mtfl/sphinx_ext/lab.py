"""Lay the book's notebooks out for JupyterLab: ``python -m mtfl.sphinx_ext.lab _build/html/_sources lab``.

A copy is written anew when the book's notebook has changed, unless the reader has changed the copy: then it stays as it
is, and a line says so.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nbformat

from mtfl import _checks
from mtfl.sphinx_ext.notebooks import digest


def lay_out(source: Path, folder: Path) -> list[Path]:
    """Copy notebooks into a folder; return those that stay there out of date, because the reader has changed them."""
    folder.mkdir(exist_ok=True)
    kept = []
    for path in sorted(source.glob("*.ipynb")):
        target, new = folder / path.name, path.read_text("utf8")
        if target.exists():
            try:
                copy = nbformat.read(target, as_version=4)
            except Exception:  # no notebook any more, whatever it is
                kept.append(target)
                continue
            written = copy.metadata.get("mtfl", {}).get("written")
            if written == nbformat.reads(new, as_version=4).metadata.mtfl.written:
                continue  # the copy may have been run, and changed, but the book's is the same
            if written != digest(copy):
                kept.append(target)
                continue
        target.write_text(new, "utf8")
    return kept


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    program = "python -m mtfl.sphinx_ext.lab"
    parser = argparse.ArgumentParser(program, description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="the folder of the built book's notebooks")
    parser.add_argument("folder", type=Path, help="where they go")
    options = parser.parse_args(arguments)
    try:
        _checks.require(options.source.is_dir(), program, "SOURCE", "a folder", options.source, "Run make book first.")
        kept = lay_out(options.source, options.folder)
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    except OSError as error:
        parser.exit(2, f"{program}: {error.filename} must be written to; got {error.strerror}. Mend that.\n")
    for path in kept:
        print(f"{path} has changes of yours and stays. The book's is newer: rename or remove yours to get it.")


if __name__ == "__main__":
    main()
