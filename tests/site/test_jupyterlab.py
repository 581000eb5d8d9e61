"""A figure in JupyterLab: what the reader moves Python sees, and what Python sets the figure shows."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CELLS = (
    "from mtfl.explorables import NeuronsInPlane\nfigure = NeuronsInPlane()\nfigure",
    "print(figure.tasks, figure.rounds, figure.energy, figure.conditioning)",
    "figure.rounds += 1",
)
SECONDS = 90  # for a slow machine to start


def write_notebook(path: Path) -> None:
    cells = [nbformat.v4.new_markdown_cell("[one task](#fig-neurons?tasks=1)")]
    cells += [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"name": "python3", "display_name": "python3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), str(path))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a JupyterLab of this machine alone, behind a secret token, and that token."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "figure.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home, token = f"http://127.0.0.1:{port}/", secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    own = {f"JUPYTER_{kind}_DIR": str(folder / ".jupyter" / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    environment = os.environ | own | {"JUPYTER_TOKEN": token}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + SECONDS
            while not answers(f"{home}api?token={token}"):
                if server.poll() is not None or time.monotonic() > end:
                    pytest.fail("JupyterLab does not start: " + (folder / "log").read_text())
                time.sleep(0.2)
            yield home, token
        finally:
            server.terminate()
            server.wait(60)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address):
            return True
    except OSError:
        return False


def run_cell(page: Page, number: int) -> str:
    """Run a code cell anew; return what it prints."""
    cell = page.locator(".jp-CodeCell").nth(number)
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    cell.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    for _ in range(200):
        page.wait_for_timeout(100)
        if prompt.inner_text() not in (before, "[*]:"):
            break
    else:
        pytest.fail(f"cell {number} does not end")
    return "".join(cell.locator(".jp-OutputArea-output").all_inner_texts())


def test_python_and_the_reader_move_one_figure(browser: Browser, lab: tuple[str, str]) -> None:
    home, token = lab
    context = browser.new_context(viewport={"width": 1300, "height": 1200}, reduced_motion="reduce")
    page, away, errors = context.new_page(), [], []
    page.on("request", lambda request: None if home.removeprefix("http") in request.url else away.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{home}lab/tree/figure.ipynb?token={token}")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=SECONDS * 1000)  # what runs earlier is lost
    page.locator(".jp-Cell").first.click()  # the notebook listens to the menu
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    words = page.locator(".mtfl-words")

    def says(text: str) -> None:
        page.wait_for_function(
            "text => document.querySelector('.mtfl-words')?.textContent.includes(text)", arg=text, timeout=30_000
        )

    says("After 2 rounds on one balanced task")  # the last cell set it
    assert page.locator(".mtfl-figure").count() == 0  # the widget is shown, not the page's HTML

    slider = page.locator("input[data-key=tasks]")
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 9, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 20, box["y"] + box["height"] / 2, steps=6)
    page.mouse.up()
    says("After one round on infinitely many balanced tasks")
    page.wait_for_timeout(500)
    tasks, rounds, energy, conditioning = run_cell(page, 1).split()
    assert (tasks, rounds) == ("inf", "1")
    assert f"conditioning {float(conditioning):.2f}, energy {float(energy):.2f}" in (words.text_content() or "")
    drawn = page.evaluate("document.querySelector('.mtfl-x').inspect()")
    assert (float(energy), float(conditioning)) == (drawn["energy"], drawn["conditioning"])

    run_cell(page, 2)
    says("After 2 rounds on infinitely many balanced tasks")
    page.wait_for_timeout(500)
    assert float(run_cell(page, 1).split()[2]) > float(energy)

    page.get_by_role("link", name="one task").click()
    says("After 2 rounds on one balanced task")
    page.wait_for_timeout(500)
    assert run_cell(page, 1).split()[0] == "1"
    assert away == []
    assert errors == []
    context.close()
