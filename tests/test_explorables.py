"""Figures to move, as Python sees them: bundles, state, HTML. Their pictures are tested in tests/site."""

from __future__ import annotations

import gzip
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorable_examples import GRID, KINDS, example
from sentences import HOUSE_FORM, refuses

from mtfl.explorables import Explorable, HowManyTasks, Laboratory, NeuronsInPlane, PaintedTask, TaskKernel, TransferGrid
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
    for wrong in (0, 2.5, -math.inf, math.nan, 1001):
        with refuses(ValueError, "NeuronsInPlane: tasks must be a whole number from 1 to 1000, or math.inf; got "):
            figure.tasks = wrong
    for wrong in ("many", True, None):
        with refuses(TypeError, "NeuronsInPlane: tasks must be a number; got "):
            figure.tasks = wrong
    assert figure.tasks == 12


ODD = (
    None, True, "", "abc", "inf", "balanced ", b"uniform", [], [1], {}, set(), object, math.nan, math.inf,
    -math.inf, -1, -0.0, 0, 0.5, 1, 1.5, 2, 10, 999, 1000.0, 1001, 1e9, 1e308, -1e308, 5e-324, 2**31, 2**32, 2**63,
    10**400, -(10**400), 1j, np.float64("nan"), np.int64(3), np.int64(-3), np.array([1.0, 2.0]), np.array(5),
    "parity", "uniform", "balanced", "matched",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_setting_is_within_its_rule_or_refused_in_a_sentence(kind: type[Explorable]) -> None:
    tried = 0
    for key, rule in example(kind).settings.items():
        for value in ODD:
            tried += 1
            try:
                figure = example(kind, **{key: value})
            except (TypeError, ValueError) as error:
                assert HOUSE_FORM.fullmatch(str(error)), error
                assert str(error).startswith(f"{kind.__name__}: {key} must be ")
                continue
            shown = getattr(figure, key)
            assert shown == value
            assert shown in rule["among"] if "among" in rule else isinstance(shown, int | float)
            figure.page()  # whose JSON has no NaN
    assert tried >= 100


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["nosuch", "settings", "conditioning", "energy", "_esm", "module"])
def test_only_settings_and_names_can_be_given(kind: type[Explorable], key: str) -> None:
    with refuses(TypeError, f"{kind.__name__}: arguments must be among alt, "):
        example(kind, **{key: 1})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("unchecked")
def test_what_is_assigned_or_sent_is_judged_like_what_is_given(kind: type[Explorable]) -> None:
    figure = example(kind)
    before = figure.page()
    for key in [*figure._own(), "nosuch"]:
        for value in (math.nan, object(), [], {"a": 1}, 10**400):
            for change in (lambda: setattr(figure, key, value), lambda: figure.set_state({key: value})):  # noqa: B023
                with pytest.raises((TypeError, ValueError)) as caught:
                    change()
                assert HOUSE_FORM.fullmatch(str(caught.value)), f"{key} = {value}: {caught.value!r}"
    with refuses(TypeError, f"{kind.__name__}: the state must be of type dict; got NoneType. "):
        figure.set_state(None)  # pyright: ignore[reportArgumentType]
    assert figure.page() == before


def test_what_the_figure_writes_is_read_only() -> None:
    figure = NeuronsInPlane()
    with refuses(TypeError, "NeuronsInPlane: arguments must be among alt, d, decay, law, name, "):
        figure.energy = 0.5
    figure.set_state({"energy": 0.5})  # as JavaScript does
    assert figure.energy == 0.5


def test_a_setting_follows_the_one_that_bounds_it() -> None:
    assert PaintedTask(r=2).task == 168 % 16
    with refuses(ValueError, "PaintedTask: task must be a whole number from 0 to 15; got 60000"):
        PaintedTask(task=60000, r=2)
    figure = PaintedTask(task=60000, r=4)
    figure.r = 3
    assert figure.task == 60000 % 256
    figure.set_state({"task": 40000, "r": 4})
    assert (figure.r, figure.task) == (4, 40000)
    kernel = TaskKernel(first=15, r=4)
    kernel.r = 1
    assert (kernel.first, kernel.second) == (1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_rules_go_with_the_state_and_bounds_come_first(kind: type[Explorable]) -> None:
    figure = example(kind)
    rules = state_of(figure)["settings"]
    assert list(rules) == list(figure.settings)
    for place, rule in enumerate(rules.values()):
        if isinstance(rule.get("most"), list):
            assert list(rules).index(rule["most"][0]) < place
            assert all(str(r) in rule["most"][1] for r in range(rules["r"]["least"], rules["r"]["most"] + 1))


@pytest.mark.parametrize(
    "change",
    [
        {"d": [8]},
        {"tasks": [8, 8, 64]},
        {"examples": [0, 1, 2]},
        {"parity": {"pretrained": []}},
        {"random": dict.fromkeys(GRID["random"], [0.5] * 80)},
        {"random": dict.fromkeys(GRID["random"], [math.nan] * 81)},
        {"random": dict.fromkeys(GRID["random"], [7.0] * 81)},
        {"d": [1, 2.5, 4]},
        {"d": [1, 2, 10**400]},
    ],
)
def test_a_grid_has_numbers_everywhere(change: dict[str, Any]) -> None:
    TransferGrid(grid=GRID)
    with refuses(ValueError, "TransferGrid: grid["):
        TransferGrid(grid=GRID | change)
    with refuses(TypeError, "TransferGrid: grid must be a dict of d, examples, parity, random, tasks; got "):
        TransferGrid(grid={"d": [1, 2]})


def test_a_default_outside_the_grid_is_its_end() -> None:
    figure = TransferGrid(grid=GRID | {"d": [1, 2, 4]})
    assert (figure.d, state_of(figure)["d"]) == (4, 4)


def test_nothing_of_a_figure_gets_out_of_its_attribute() -> None:
    class Wide(HowManyTasks):
        heights = ('1rem"><script>', "2rem")

    page = Wide(name='a"><b>', title='a"><b>').page()
    assert '"><script>' not in page.split("<style>")[0] + page.split("</style>")[1].split("<noscript>")[0]
    assert 'data-address="#a&quot;&gt;&lt;b&gt;"' in page


def test_modules_use_no_names_of_other_homes() -> None:
    """Nothing that only a browser's window, or only Node, has may decide what the engine computes."""
    engine = (FOLDER / "engine.js").read_text("utf8")
    assert not re.search(r"\b(document|window|process|require|Math\.random|Date)\b", engine)


def test_the_laboratory_takes_tasks_of_ones_own() -> None:
    figure = Laboratory(r=1)
    figure.paint([[-1, 1, 1, 1], [1, -1, -1, -1.0]])
    assert (figure.law, figure.r, figure.tasks, figure.paint_1, figure.paint_2) == ("painted", 2, 2, 14, 1)
    figure.paint(np.array([[-1] * 15 + [1]] * 8))
    assert (figure.r, figure.tasks, figure.paint_8) == (4, 8, 2**15)


@pytest.mark.parametrize(
    ("table", "error", "sentence"),
    [
        ([1, -1], TypeError, "table must be finite numbers of shape (any, any); got [1, -1]"),
        ([["a", "b"]], TypeError, "table must be finite numbers of shape (any, any); got [['a', 'b']]"),
        ([[math.nan, 1]], TypeError, "table must be finite numbers of shape (any, any); got [[nan, 1]]"),
        ([[1, -1, 1]], ValueError, "table must be of shape (T, 2^r) with T <= 8 and r <= 4; got shape (1, 3)"),
        ([[1, -1]] * 9, ValueError, "table must be of shape (T, 2^r) with T <= 8 and r <= 4; got shape (9, 2)"),
        ([[1] * 32], ValueError, "table must be of shape (T, 2^r) with T <= 8 and r <= 4; got shape (1, 32)"),
        ([[0, 1]], ValueError, "table must be of labels -1 and +1; got [0.0]"),
    ],
)
def test_the_laboratory_refuses_what_is_no_table(table: Any, error: type[Exception], sentence: str) -> None:
    figure = Laboratory()
    before = figure.get_state()
    with refuses(error, f"Laboratory.paint: {sentence}"):
        figure.paint(table)
    assert figure.get_state() == before


def test_the_laboratory_has_no_weights_before_it_is_shown_nor_for_another_state() -> None:
    figure = Laboratory(d=6, r=2, neurons=8, tasks=3)
    assert figure.weights == figure.traces == ()
    rng, own = np.random.default_rng(0), {"d": 6, "tasks": 3, "rounds": 0}
    shapes = {"W": (8, 6), "b": (8,), "A": (3, 8), "M": (6, 2), "F": (3, 4), "energy": (5,), "conditioning": (5,)}
    shapes |= {"loss": (4,), "accuracy": (4,), "theory_energy": (2,), "theory_conditioning": (2,)}
    sent = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    runs = [{name: memoryview(array.tobytes()) for name, array in sent.items()}]
    figure.set_state({"_found": {"state": own, "runs": runs}})
    for found in (figure.weights, figure.traces):
        for name, array in found[0].items():
            np.testing.assert_array_equal(array, sent.pop(name))
    assert not sent
    figure.tasks = 4
    assert figure.weights == figure.traces == ()
