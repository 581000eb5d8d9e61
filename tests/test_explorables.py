"""Figures to move, as Python sees them: bundles, state, HTML. Their pictures are tested in tests/site."""

from __future__ import annotations

import gzip
import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import traitlets
from explorable_examples import KINDS, example
from sentences import refuses

from mtfl.explorables import Explorable, NeuronsInPlane
from mtfl.explorables.explorable import FOLDER, bundle, inside_script

MOST_BYTES = 30_000  # of a figure's HTML, gzipped


def module(folder: Path, text: str) -> Path:
    path = folder / "figure.js"
    path.write_text(text)
    return path


def test_a_bundle_is_the_modules_without_imports_and_exports(tmp_path: Path) -> None:
    text = 'import { svg } from "./ui.js";\nimport {\n  dawson,\n} from "./engine.js";\nexport function render() {}\n'
    made = bundle(module(tmp_path, text))
    assert "\nfunction dawson(" in made
    assert "\nfunction svg(" in made
    assert made.endswith("\n\nfunction render() {}\n")
    assert not re.search(r"^(import|export)\b", made, flags=re.MULTILINE)


@pytest.mark.parametrize("line", ['import x from "./ui.js";', "export default 1;", "export { render };"])
def test_a_bundle_refuses_other_imports_and_exports(tmp_path: Path, line: str) -> None:
    with refuses(ValueError, "bundle: figure.js must be bundled by its plain imports"):
        bundle(module(tmp_path, line + "\n"))


def test_a_bundle_refuses_a_name_that_is_taken(tmp_path: Path) -> None:
    with refuses(ValueError, "bundle: names must be declared by one module; got svg in ui.js and figure.js"):
        bundle(module(tmp_path, "const svg = 1;\n"))


def test_script_text_cannot_end_its_element() -> None:
    assert inside_script('"</script><!--"') == '"<\\/script><\\!--"'


class Parts(HTMLParser):
    """The scripts of a piece of HTML, by their type."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts: dict[str, list[str]] = {}
        self.within: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.within = dict(attrs).get("type") if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        self.within = None

    def handle_data(self, data: str) -> None:
        if self.within:
            self.scripts.setdefault(self.within, []).append(data)


def state_of(figure: Explorable) -> dict[str, Any]:
    (text,) = Parts(figure.page()).scripts["application/json"]
    return json.loads(text)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_holds_the_state_and_one_module(kind: type[Explorable]) -> None:
    figure = example(kind, alt="A </script> <b>&")
    scripts = Parts(figure.page()).scripts
    assert len(scripts["module"]) == 1
    assert state_of(figure)["alt"] == "A </script> <b>&"
    assert not {"layout", "_esm", "_css"} & set(state_of(figure))
    assert "A &lt;/script&gt; &lt;b&gt;&amp; (The figure needs JavaScript.)" in figure.page()
    assert "http" not in figure.page().replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_the_same_for_the_same_state_only(kind: type[Explorable]) -> None:
    assert example(kind).page() == example(kind).page()
    assert example(kind).page() != example(kind, alt="Another.").page()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_light(kind: type[Explorable]) -> None:
    size = len(gzip.compress(example(kind).page().encode(), mtime=0))
    print(f"{kind.__name__}: {size} bytes gzipped")
    assert size <= MOST_BYTES


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_shows_html_and_a_widget(kind: type[Explorable]) -> None:
    figure = example(kind)
    data, _ = figure._repr_mimebundle_()
    assert data["text/html"] == figure.page()
    assert data["text/plain"] == figure.alt
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == figure.model_id
    assert figure.get_state("_esm")["_esm"].endswith("\nexport default { render };\n")


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_has_words(kind: type[Explorable]) -> None:
    figure = example(kind)
    assert figure.name.startswith("fig-")
    assert figure.title
    assert len(figure.alt) > 80


def test_a_count_is_whole_or_infinite() -> None:
    figure = NeuronsInPlane(tasks=math.inf)
    assert state_of(figure)["tasks"] == "inf"
    figure.tasks = 7.0
    assert isinstance(figure.tasks, int)
    assert state_of(figure)["tasks"] == 7
    figure.set_state({"tasks": "inf"})
    assert figure.tasks == math.inf
    figure.set_state({"tasks": 12})
    assert figure.tasks == 12
    for wrong in (0, 2.5, -math.inf, math.nan, "many", True):
        with pytest.raises(traitlets.TraitError):
            figure.set_trait("tasks", wrong)


def test_modules_use_no_names_of_other_homes() -> None:
    """Nothing that only a browser's window, or only Node, has may decide what the engine computes."""
    engine = (FOLDER / "engine.js").read_text("utf8")
    assert not re.search(r"\b(document|window|process|require|Math\.random|Date)\b", engine)


def test_the_package_alone_loads_no_widgets() -> None:
    code = "import sys, mtfl; sys.exit(any(name in sys.modules for name in ('anywidget', 'ipywidgets', 'traitlets')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
