"""Run the notebooks that the execution cache does not hold yet, several at a time, in processes of one thread.

The cache knows a notebook by its code alone. This script empties it when anything else that the outputs
depend on has changed: the package, the pinned versions, the interpreter.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sys
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "_build" / ".jupyter_cache"
CELL_TIMEOUT = 600  # seconds


def fingerprint() -> str:
    """Hash all that a notebook's outputs depend on, besides the notebook."""
    digest = hashlib.sha256(sys.version.encode())
    sources = (p for p in (ROOT / "mtfl").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    for path in [ROOT / "constraints.txt", *sorted(sources)]:
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Bring the cache up to date; return 1 if a notebook fails."""
    stamp = CACHE / "fingerprint"
    now = fingerprint()
    if not stamp.exists() or stamp.read_text() != now:
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        stamp.write_text(now)
    cache = get_cache(CACHE)
    uris = [str(path) for path in sorted((ROOT / "book").glob("*.ipynb"))]
    for uri in uris:
        cache.add_nb_to_project(uri)
    logger = logging.getLogger("execute")
    logger.setLevel(logging.WARNING)
    executor = load_executor("local-parallel", cache, logger=logger)
    result = executor.run_and_cache(filter_uris=uris, timeout=CELL_TIMEOUT)
    failed = sorted([*result.excepted, *result.errored])
    for uri in failed:
        print(f"{uri}\n{cache.get_project_record(uri).traceback or ''}", file=sys.stderr)
    print(f"{len(uris)} notebooks: {len(result.succeeded)} run, {len(failed)} failed, the rest unchanged")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
