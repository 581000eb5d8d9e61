"""The book in JupyterLab: its text is shown as on the site, its links lead somewhere, and its figures live.

What the reader moves Python sees, and what Python sets the figure shows.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from opened import new_window
from waiting import HANG, wait_for

from mtfl.sphinx_ext.lab import lay_out

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CELLS = (
    "from mtfl.explorables import NeuronsInPlane\nfigure = NeuronsInPlane()\nfigure",
    "print(figure.tasks, figure.rounds, figure.energy, figure.conditioning)",
    "figure.rounds += 1",
)
# What Python reads of the laboratory's training: shapes, and how far the energy of the weights is from the last traced.
LABORATORY = (
    "from mtfl.explorables import Laboratory\n"
    "lab = Laboratory(d=10, r=2, neurons=16, tasks=8, batch=64, against='one task')\nlab",
    "lab.paint([[-1, 1, 1, -1], [1, 1, -1, -1], [-1, 1, 1, 1]])\nlab.rounds = 12",
    "import json\n"
    "shapes = [{name: array.shape for name, array in (own | trace).items()}"
    " for own, trace in zip(lab.weights, lab.traces)]\n"
    "away = [abs(((own['W'] @ own['M']) ** 2).sum() / (own['W'] ** 2).sum() - trace['energy'][-1])"
    " for own, trace in zip(lab.weights, lab.traces)]\n"
    "print(json.dumps([shapes, away, lab.weights[0]['F'].tolist() if lab.weights else None]))",
)
# In the notebook in front: another may use the name too.
ANCHOR = """[...document.querySelectorAll('[data-jupyter-id="%s"]')].find((place) => place.offsetParent)"""
# The code cell above the caption of a figure.
DRAWS = """[...document.querySelectorAll(".jp-MarkdownOutput")]
    .find((shown) => shown.textContent.trim().startsWith("%s ")).closest(".jp-Cell").previousElementSibling"""
# A figure of each, a state that Python sets, what the figure then says, headings of the text, and references with the
# places where they lead.
CHAPTERS: dict[str, tuple[str, str, str, tuple[str, ...], dict[str, str]]] = {
    "intro": ("NeuronsInPlane", "figure.tasks = 3", "on 3 ", ("Figure 2 From a line to a cloud",), {}),
    "02_pseudo_contrastive_loss": (
        "TaskKernel",
        "figure.tasks = 7",
        "The kernel of 7 ",
        ("Line by line to the loss", "Lemma 2.1 (The heads after one step)", "Figure 2.2 The formula is exact"),
        {
            "(2.6)": ANCHOR % "equation-eq-loss-pairs",
            "Theorem 2.2": ANCHOR % "thm-pseudo-contrastive",
            "Figure 2.3": DRAWS % "Figure 2.3",
        },
    ),
}
# A chapter whose text leads to a place in another notebook: the chapter's link, and the place.
ANOTHER = {"intro": ("2024", ANCHOR % "id3")}
# All code has been run, and all links of the text lead where JupyterLab takes them: what is shown is shown anew then.
RAN = """() => [...document.querySelectorAll(".jp-CodeCell .jp-InputArea-prompt")].every((prompt) =>
    /\\d/.test(prompt.textContent)) && [...document.querySelectorAll(".jp-MarkdownOutput a[href*='.ipynb']")].every(
    (link) => link.pathname.startsWith("/files/"))"""
# The text of Markdown cells as a reader sees it, without formulas and code.
TEXT = """() => [...document.querySelectorAll(".jp-MarkdownOutput")].map((shown) => {
    const text = shown.cloneNode(true);
    for (const other of text.querySelectorAll("mjx-container, code, pre")) other.remove();
    return text.textContent;
}).join(" ")"""
# Markdown, TeX or HTML that is left as it was written.
RAW = re.compile(r"\{[a-z:]+\}|:::|```|\*\*|\$|\\\w|</?\w+|\]\(")
# Links to a place in the same notebook that has no such place.
LOST = """() => [...document.querySelectorAll(".jp-MarkdownOutput a[href^='#']:not(.jp-InternalAnchorLink)")]
    .map((link) => link.getAttribute("href").slice(1)).filter((name) => !name.includes("?"))
    .filter((name) => !document.querySelector(`[data-jupyter-id="${CSS.escape(decodeURI(name))}"]`))"""
# Whether a place stands in the window; a notebook behind another has none.
IN_SIGHT = """(place) => {
    const top = place?.offsetParent ? place.getBoundingClientRect().top : -1;
    return top > 0 && top < innerHeight;
}"""


def write_notebook(path: Path, text: str, code: tuple[str, ...]) -> None:
    cells = [nbformat.v4.new_markdown_cell(text), *map(nbformat.v4.new_code_cell, code)]
    kernel = {"name": "python3", "display_name": "python3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), str(path))


def extend_chapter(path: Path) -> None:
    """Give a chapter's figure a name, and add two cells: one that reads the figure's state, one that sets it."""
    kind, setting, *_ = CHAPTERS[path.stem]
    chapter = nbformat.read(path, as_version=4)
    named = [cell for cell in chapter.cells if cell.source.strip() == f"{kind}()"]
    assert len(named) == 1
    named[0].source = f"figure = {kind}()\nfigure"
    chapter.cells += [nbformat.v4.new_code_cell(source) for source in ("print(figure.tasks)", setting)]
    nbformat.write(chapter, str(path))


@pytest.fixture(scope="module")
def lab(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a JupyterLab of this machine alone, with the book's notebooks, and its secret token."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder / "figure.ipynb", "[one task](#fig-neurons?tasks=1)", CELLS)
    write_notebook(folder / "trained.ipynb", "Tasks of one's own.", LABORATORY)
    lay_out(site / "_sources", folder)
    for name in CHAPTERS:
        extend_chapter(folder / f"{name}.ipynb")
    settings = folder / ".jupyter" / "settings"
    tracker = settings / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text('{"windowingMode": "none"}')  # every cell is on the page, seen or not
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home, token = f"http://127.0.0.1:{port}/", secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    own = {f"JUPYTER_{kind}_DIR": str(folder / ".jupyter" / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    environment = os.environ | own | {"JUPYTER_TOKEN": token, "JUPYTERLAB_SETTINGS_DIR": str(settings)}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(
                lambda: answers(f"{home}api?token={token}"),
                lambda: None if server.poll() is None else "JupyterLab does not start: " + (folder / "log").read_text(),
            )
            yield home, token
        finally:
            server.terminate()
            server.wait(HANG)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address):
            return True
    except OSError:
        return False


@dataclass
class Notebook:
    """A notebook open in JupyterLab."""

    page: Page
    away: list[str]
    errors: list[str]

    def says(self, text: str) -> None:
        """Wait until the last figure's words hold a text."""
        self.page.wait_for_function(
            "text => [...document.querySelectorAll('.mtfl-words')].at(-1)?.textContent.includes(text)", arg=text
        )

    def drag_to_the_end(self, key: str) -> None:
        """Drag a slider of the last figure beyond its right end."""
        slider = self.page.locator(f"input[data-key={key}]").last
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        assert box is not None
        share = float(slider.input_value()) / float(slider.get_attribute("max") or 1)
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + 9 + share * (box["width"] - 18), y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] + 20, y, steps=6)
        self.page.mouse.up()

    def run_cell(self, number: int) -> str:
        """Run a code cell anew; return what it prints."""
        cell = self.page.locator(".jp-CodeCell").nth(number)
        prompt = cell.locator(".jp-InputArea-prompt")
        before = prompt.inner_text()
        cell.locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+Enter")
        wait_for(lambda: prompt.inner_text() not in (before, "[*]:"))
        return "".join(cell.locator(".jp-OutputArea-output").all_inner_texts())


@pytest.fixture
def open_notebook(browser: Browser, lab: tuple[str, str]) -> Iterator[Callable[..., Notebook]]:
    """A function that opens a notebook and runs all its cells."""
    home, token = lab
    context = new_window(browser, viewport={"width": 1300, "height": 1200}, reduced_motion="reduce")

    def open_notebook(name: str) -> Notebook:
        page, away, errors = context.new_page(), [], []
        local = home.removeprefix("http")
        page.on("request", lambda request: None if local in request.url else away.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{home}lab/workspaces/{name}/tree/{name}.ipynb?token={token}")  # a workspace holds its open tabs
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # what runs earlier is lost
        page.locator(".jp-Cell").first.click()  # the notebook listens to the menu
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.wait_for_function(RAN)
        return Notebook(page, away, errors)

    yield open_notebook
    context.close()


def test_python_and_the_reader_move_one_figure(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook("figure")
    page, words = notebook.page, notebook.page.locator(".mtfl-words")
    notebook.says("After 2 rounds on one balanced task")  # the last cell set it
    assert page.locator(".mtfl-figure").count() == 0  # the widget is shown, not the page's HTML

    notebook.drag_to_the_end("tasks")
    notebook.says("After one round on infinitely many balanced tasks")
    drawn = page.evaluate("document.querySelector('.mtfl-x').inspect()")
    energy, conditioning = drawn["energy"], drawn["conditioning"]
    assert f"conditioning {conditioning:.2f}, energy {energy:.2f}" in (words.text_content() or "")

    def told() -> list[float]:
        """Tasks, rounds, energy and conditioning, as Python prints them: it hears of the last two a while later."""
        return [float(word) for word in notebook.run_cell(1).split()]

    wait_for(lambda: told() == [math.inf, 1, energy, conditioning])

    notebook.run_cell(2)
    notebook.says("After 2 rounds on infinitely many balanced tasks")
    wait_for(lambda: told()[1] == 2 and told()[2] > energy)

    page.get_by_role("link", name="one task").click()
    notebook.says("After 2 rounds on one balanced task")
    wait_for(lambda: told()[0] == 1)
    assert notebook.away == []
    assert notebook.errors == []


def test_python_paints_tasks_and_reads_what_was_trained(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook("trained")
    page = notebook.page
    notebook.says("After 12 rounds on 3 painted tasks")

    def found() -> list[Any]:
        return json.loads(notebook.run_cell(2))

    wait_for(lambda: found()[0] != [])
    shapes, away, labels = found()
    assert labels == [[-1, 1, 1, -1], [1, 1, -1, -1], [-1, 1, 1, 1]]
    for T, shape in zip((3, 1), shapes, strict=True):
        theory = shape.pop("theory_energy")
        assert shape.pop("theory_conditioning") == theory and 1 <= theory[0] <= 13
        of_weights = {"W": [16, 10], "b": [16], "A": [T, 16], "M": [10, 2], "F": [T, 4]}
        assert shape == of_weights | {"energy": [13], "conditioning": [13], "loss": [12], "accuracy": [12]}
    assert max(away) < 1e-5

    notebook.drag_to_the_end("d")
    notebook.says("After 12 rounds on 3 painted tasks")
    wait_for(lambda: found()[0] and found()[0][0]["W"] == [16, 300])
    page.get_by_role("button", name="Undo").click()
    wait_for(lambda: found()[0] and found()[0][0]["W"] == [16, 10])
    assert page.locator(".mtfl-tour").count() == 0
    assert notebook.away == []
    assert notebook.errors == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_reads_runs_and_leads(open_notebook: Callable[..., Notebook], chapter: str) -> None:
    notebook = open_notebook(chapter)
    page, cells = notebook.page, notebook.page.locator(".jp-CodeCell")
    last = cells.count() - 1
    _, _, words, headings, leads = CHAPTERS[chapter]
    assert page.locator("[data-mime-type$='.error'], [data-mime-type$='stderr']").count() == 0

    text = page.evaluate(TEXT)
    assert RAW.findall(text) == []
    for heading in headings:
        assert heading in text
    assert page.locator(".jp-MarkdownOutput mjx-container").count() > 10
    assert page.locator("mjx-merror").count() == 0
    assert page.evaluate(LOST) == []

    notebook.says(words)  # the last cell set it
    notebook.drag_to_the_end("tasks")
    wait_for(lambda: notebook.run_cell(last - 1).strip() == "inf")
    page.locator(".jp-MarkdownOutput a[href*='?tasks=1&']").last.click()
    wait_for(lambda: notebook.run_cell(last - 1).strip() == "1")
    notebook.run_cell(last)
    notebook.says(words)

    for link, place in leads.items():
        page.locator(".jp-MarkdownOutput").get_by_role("link", name=link, exact=True).last.click()
        page.wait_for_function(f"() => ({IN_SIGHT})({place})")
    if chapter in ANOTHER:
        name, place = ANOTHER[chapter]
        link = page.locator(".jp-MarkdownOutput").get_by_role("link", name=name, exact=True).first
        link.click()
        page.wait_for_function(f"() => {place}")
        page.get_by_role("tab", name=f"{chapter}.ipynb").click()
        link.click()  # a notebook that has just been opened scrolls before all its cells are there
        page.wait_for_function(f"() => ({IN_SIGHT})({place})")
    assert notebook.away == []
    assert notebook.errors == []
