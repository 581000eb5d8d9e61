"""Build the site once more, in another folder, and name the files in which the two differ: `make twice`.

The pages take the outputs of the notebooks from the same cache, so all files must be equal, byte for byte. When the
notebooks run again, only measured times change: those of the table in `reproduce.html`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILT = Path("_build")
STAMP = ".complete"  # of the Makefile
AROUND = 60  # bytes shown on each side of a difference


def files_of(site: Path) -> dict[str, bytes]:
    """The files of a site, by their names."""
    found = {path.relative_to(site).as_posix(): path for path in site.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items()) if name != STAMP}


def differences(one: Path, other: Path) -> list[str]:
    """The files that are not in both sites, or not equal, with what stands where they begin to differ."""
    ours, theirs = files_of(one), files_of(other)
    found = [f"{name}: only in {one if name in ours else other}" for name in sorted(ours.keys() ^ theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        if ours[name] != theirs[name]:
            pairs = enumerate(zip(ours[name], theirs[name], strict=False))
            begin = next((n for n, (x, y) in pairs if x != y), min(len(ours[name]), len(theirs[name])))
            parts = [content[max(0, begin - AROUND) : begin + AROUND] for content in (ours[name], theirs[name])]
            found.append("\n    ".join([f"{name}:", *(part.decode("utf8", "replace") for part in parts)]))
    return found


def main() -> int:
    """The command; 1 if the sites differ."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / BUILT / ".jupyter_cache", Path(folder) / BUILT / ".jupyter_cache")
        command = ["jupyter-book", "build", "book", "--config", "_config.yml", "--path-output", folder, "--all", "-q"]
        subprocess.run([*command, "-W", "-n", "--keep-going"], cwd=ROOT, check=True)
        found = differences(ROOT / BUILT / "html", Path(folder) / BUILT / "html")
    print("\n".join(found) or "The two builds are equal, byte for byte.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
