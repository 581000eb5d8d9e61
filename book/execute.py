"""Run the book's notebooks, several at a time, each in a kernel of its own, and cache their outputs for the build.

    python book/execute.py                     runs the notebooks that the cache does not hold yet
    python book/execute.py --store 01_setup    runs one, and writes the outputs of its checked cells into its file

The cache knows a notebook by its code cells, so it is emptied when anything else that outputs depend on has
changed: the package, the pinned versions, the chapters' data, the interpreter, this file.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from traitlets import Type

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "_build" / ".jupyter_cache"
HANG = 1800  # seconds: the end of a wait for a kernel
LOOK_AGAIN = 0.5  # seconds
KEEP = "keep_output"  # tag of a cell whose outputs are stored in its file
# A fixed amount of what notebooks do: products, passes over arrays, plain Python. A kernel does it after each cell, so
# that a cell's seconds can be told in seconds of this, which a slower or busier processor lengthens as well.
REFERENCE = """
import time
import torch

begun = time.process_time()
x = torch.linspace(-1, 1, 400 * 400, dtype=torch.float64).reshape(400, 400)
for _ in range(2):
    x = torch.linalg.qr(x @ x.T + torch.eye(400, dtype=torch.float64)).Q
for _ in range(8):
    torch.erf(torch.linspace(-1, 1, 200_000, dtype=torch.float64)).square().sum()
total = 0
for n in range(150_000):
    total += n * n % 7
ended = time.process_time()
"""


class Channel(AsyncZMQSocketChannel):
    """A channel to a kernel that looks again for a message it was not woken for.

    An `interact` cell makes the client send to the kernel while it waits for the cell's reply. Sending can use up
    the signal that the reply has come, and the client would sleep on it until the cell's time is over.
    """

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next message; raise Empty when none came in time."""
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return await super().get_msg(timeout=max(0.0, min(LOOK_AGAIN, end - time.monotonic())))
            except Empty:
                if time.monotonic() >= end:
                    raise


class Client(AsyncKernelClient):
    """A client whose channel for replies is the one above."""

    shell_channel_class = Type(Channel)


class Manager(AsyncKernelManager):
    """A kernel manager that makes such clients."""

    client_factory = Type(Client, klass=AsyncKernelClient)


def fingerprint() -> str:
    """Hash all that a notebook's outputs depend on, besides the notebook."""
    digest = hashlib.sha256(sys.version.encode())
    files = (path for ending in ("py", "js", "css") for path in (ROOT / "mtfl").rglob(f"*.{ending}"))
    sources = (path for path in files if "sphinx_ext" not in path.parts)
    data = (ROOT / "book" / "data").rglob("*.*")
    for path in [Path(__file__).resolve(), ROOT / "constraints.txt", *sorted(sources), *sorted(data)]:
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def open_cache() -> JupyterCacheAbstract:
    """Open the cache, emptied if it is out of date."""
    stamp = CACHE / "fingerprint"
    now = fingerprint()
    if not stamp.exists() or stamp.read_text() != now:
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        stamp.write_text(now)
    return get_cache(CACHE)


def is_cached(cache: JupyterCacheAbstract, notebook: NotebookNode) -> bool:
    """Tell whether the cache holds the outputs of a notebook's code."""
    try:
        cache.match_cache_notebook(notebook)
    except KeyError:
        return False
    return True


def store(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook that ran to its file, with the outputs of checked cells only."""
    kernel = {key: value for key, value in notebook.metadata.items() if key == "kernelspec"}
    notebook.metadata = kernel | {"language_info": {"name": "python"}}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if KEEP not in cell.metadata.get("tags", []):
                cell.outputs = []
    nbformat.write(notebook, path)


class Meter:
    """Processor time of a notebook's cells, start of its kernel included, and of the reference after each of them."""

    def __init__(self) -> None:
        """Start at zero."""
        self.seconds, self.references, self.ended = 0.0, [], 0.0

    @property
    def result(self) -> dict[str, float]:
        """What the cache keeps: seconds of the cells, and how many references they are worth."""
        reference = sum(self.references) / max(1, len(self.references))
        return {"execution_seconds": self.seconds, "references": self.seconds / reference if reference else 0.0}

    async def note(self, client: NotebookClient) -> None:
        """Take the time of the cell that has just ended, and of the reference."""
        kernel: Any = client.kc
        code, clock = f"_reference = {{}}; exec({REFERENCE!r}, _reference)", "_reference['begun'], _reference['ended']"
        message = kernel.execute(code, silent=True, user_expressions={"clock": clock})
        reply: Any = await client.async_wait_for_reply(message)
        begun, ended = ast.literal_eval(reply["content"]["user_expressions"]["clock"]["data"]["text/plain"])
        self.seconds += begun - self.ended
        self.references.append(ended - begun)
        self.ended = ended


async def run(path: Path, cache: JupyterCacheAbstract, free: asyncio.Semaphore, store_it: bool) -> str:
    """Run one notebook unless the cache holds it; return what became of it."""
    async with free:
        try:
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
        except Exception as error:  # whatever it is, the others go on
            got = f"an error: {type(error).__name__}"
            print(f"execute: {path.name} must be a notebook; got {got}. Mend or remove it.", file=sys.stderr)
            return "failed"
        if is_cached(cache, notebook) and not store_it:
            return "unchanged"
        meter = Meter()
        client = NotebookClient(
            notebook,
            on_cell_executed=lambda **executed: meter.note(client),
            timeout=HANG,
            startup_timeout=HANG,
            iopub_timeout=HANG,
            coalesce_streams=True,  # a print may arrive in pieces, at random
            record_timing=False,  # it would change the cells, and the cache would not know them again
            kernel_manager_class=Manager,
            resources={"metadata": {"path": str(path.parent)}},
        )
        try:
            await client.async_execute()
        except (CellExecutionError, CellControlSignal, DeadKernelError, NoSuchKernel) as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            return "failed"
        bundle = CacheBundleIn(notebook, str(path), data=meter.result)
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        print(f"{path.name}: {meter.seconds:.1f} s, {meter.result['references']:.0f} references", flush=True)
        if store_it:
            store(path, notebook)
        return "run"


async def main() -> int:
    """Run what there is to run; return 1 if a notebook failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", metavar="NOTEBOOK", nargs="+", help="run these anew, and store checked outputs")
    options = parser.parse_args()
    os.environ["TQDM_DISABLE"] = "1"  # no progress bars on a slow machine's pages
    book = ROOT / "book"
    there = {path.stem: path for path in sorted(book.glob("*.ipynb"))}
    asked = list(dict.fromkeys(name.removesuffix(".ipynb") for name in options.store or ()))
    for name in (name for name in asked if name not in there):
        parser.exit(2, f"--store: NOTEBOOK must be one of {', '.join(there)}; got {name[:80]!r}. Correct the name.\n")
    chosen = [there[name] for name in asked]
    cache, free = open_cache(), asyncio.Semaphore(os.cpu_count() or 1)
    paths = chosen or list(there.values())
    fates = await asyncio.gather(*(run(path, cache, free, bool(chosen)) for path in paths))
    print("notebooks: " + ", ".join(f"{fates.count(fate)} {fate}" for fate in ("run", "failed", "unchanged")))
    return int("failed" in fates)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
