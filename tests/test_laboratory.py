"""The laboratory's experiments hold for five seeds, and its lines of Python run the same experiment."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from experiments import FACTS
from explorable_examples import ROOT
from test_engine import node

from mtfl.explorables import Laboratory

FOLDER = ROOT / "mtfl" / "explorables"
PAGE = ROOT / "book" / "laboratory.ipynb"
LINK = re.compile(r"\(#fig-laboratory\?start&([^)]+)\)")
SEEDS = (1, 2, 3, 4, 5)


def state_of(query: str) -> dict[str, Any]:
    """What a link sets."""
    figure, found = Laboratory(), {}
    for key, value in parse_qsl(query):
        found[key] = value if "among" in figure.settings[key] else float(value)
    return found


def trained(experiments: list[dict[str, Any]], seeds: tuple[int, ...] = SEEDS) -> list[list[dict[str, Any]]]:
    """What the experiments come to under Node, for each seed."""
    figure = Laboratory()
    state = {key: getattr(figure, key) for key in figure.settings}
    asked = {"folder": str(FOLDER), "state": state, "experiments": experiments, "seeds": seeds}
    command = [
        node(),
        "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",
        str(Path(__file__).with_name("laboratory.mjs")),
    ]
    done = subprocess.run(command, input=json.dumps(asked).encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_every_experiment_of_the_page_has_a_fact() -> None:
    cells = json.loads(PAGE.read_text("utf8"))["cells"]
    assert LINK.findall("".join("".join(cell["source"]) for cell in cells)) == list(FACTS)
    assert len(FACTS) >= 18


MENDED = state_of("rounds=100&against=coloured+inputs")
FEW = "flips=0.3&batch=64&rounds=60&against=as+many+tasks+as+features"
RIGHT = state_of(FEW) | {"flips": 0.0}


def test_experiments_show_what_they_say_for_five_seeds() -> None:
    """All in one process, which trains once what they share."""
    *results, mended, right = trained([*map(state_of, FACTS), MENDED, RIGHT])
    wrong, energies, evenness = [], {}, {}
    for query, found in zip(FACTS, results, strict=True):
        energies[query], evenness[query] = [], []
        for seed, result in zip(SEEDS, found, strict=True):
            e, c, transfer = ([run[key] for run in result["runs"]] for key in ("energy", "conditioning", "transfer"))
            told = f"{query}, seed {seed}: energy {e}, conditioning {c}, accuracies {transfer}, notes {result['notes']}"
            print(told)
            wrong += [told] if result["notes"] or not FACTS[query](e, c, transfer) else []
            energies[query].append(e)
            evenness[query].append(c)
    assert not wrong, "\n".join(wrong)
    a_hundred_rounds_mend_most_of_what_colour_does(mended)
    right_labels_of_few_tasks_come_closer_to_many(energies[FEW], right)
    uniform_labels_lose_far_more_in_a_hundred_dimensions(*(energies[f"d={d}&{UNIFORM}"] for d in (20, 100)))
    some_single_tasks_teach_the_other_directions_later(*(evenness[query][0] for query in (SOON, LATE)))


def a_hundred_rounds_mend_most_of_what_colour_does(found: list[dict[str, Any]]) -> None:
    for result in found:
        white, coloured = (run["trace"] for run in result["runs"])
        assert 0 < white[100] - coloured[100] < 0.5 * (white[30] - coloured[30])


def right_labels_of_few_tasks_come_closer_to_many(energies: list[list[float]], right: list[dict[str, Any]]) -> None:
    for wrong, result in zip(energies, right, strict=True):
        many, few = (run["energy"] for run in result["runs"])
        assert many - few < wrong[0] - wrong[1] - 0.05


UNIFORM = "tasks=512&rounds=1&head_step=0.05&step=100&against=uniform+labels+with+decay"


def uniform_labels_lose_far_more_in_a_hundred_dimensions(few: list[list[float]], many: list[list[float]]) -> None:
    for one, other in zip(few, many, strict=True):
        assert other[1] / one[1] < 0.5 * other[0] / one[0]


SOON, LATE = "rounds=10&against=one+task", "rounds=60&against=one+task&new_task=parity&fitted=yes"


def some_single_tasks_teach_the_other_directions_later(soon: list[float], late: list[float]) -> None:
    assert soon[1] < 0.25 and late[1] > 0.4


def test_a_task_that_shows_a_first_step_no_direction_teaches_nothing() -> None:
    """Its labels are the product of two of the three features."""
    painted = {"law": "painted", "tasks": 1, "paint_1": 153, "step": 100, "rounds": 10}
    for found in trained([painted | {"batch": batch} for batch in (512, 2048)]):
        assert all(result["runs"][0]["energy"] < 0.15 for result in found)


SMALL: dict[str, Any] = {"d": 12, "r": 2, "neurons": 24, "tasks": 12, "batch": 2048, "rounds": 8}
IN_PYTHON: list[dict[str, Any]] = [
    {"against": "as many tasks as features", "tasks": 1, "law": "junta"},
    {"inputs": "hypercube", "labels": "centred", "law": "uniform", "against": "opposite labels"},
    {"inputs": "coloured", "heads": "ridge", "penalty": 1000},
    {"law": "painted", "tasks": 3, "loss": "logistic", "head_steps": 2, "decay": 0.01},
    {"new_task": "majority", "law": "uniform"},
    {"new_task": "another", "r": 3},
    {"batches": "per-task", "tasks": 4, "rule": "Adam", "head_step": 0.1},
]


def test_the_lines_of_python_run_the_same_experiment() -> None:
    results = trained([SMALL | change for change in IN_PYTHON], seeds=(1, 2, 3))
    for change, result in zip(IN_PYTHON, results, strict=True):
        energies = []
        for one in result:
            told = io.StringIO()
            with contextlib.redirect_stdout(told):
                exec(one["python"], {"__name__": "__main__"})
            lines = told.getvalue().splitlines()
            assert all(re.fullmatch(r"energy [01]\.\d{3}, conditioning [01]\.\d{3}", line) for line in lines), lines
            printed = [float(x) for x in re.findall(r"[01]\.\d{3}", told.getvalue())]
            assert all(0 < conditioning <= 1 for conditioning in printed[1::2])
            energies.append([*(run["energy"] for run in one["runs"]), *printed[::2]])
        means = [sum(values) / len(values) for values in zip(*energies, strict=True)]
        page, python = means[: len(means) // 2], means[len(means) // 2 :]
        print(f"{change}: energies {page} on the page, {python} in Python")
        assert all(abs(one - other) < 0.12 for one, other in zip(page, python, strict=True))
        if change.get("against") == "opposite labels":
            assert python[0] == pytest.approx(python[1], rel=1e-9)


def test_the_other_run_of_python_begins_alike_and_differs_as_it_says() -> None:
    changes = [{"against": "one task", "law": "threshold"}, {"against": "a linear layer"}, {"new_task": "another"}]
    uniform = {"law": "balanced", "against": "uniform labels", "new_task": "another"}
    one, linear, alone, other = (
        found[0]["python"] for found in trained([SMALL | c for c in [*changes, uniform]], (1,))
    )
    assert "# This run" not in alone and "# The other run" not in alone
    imports, first, second = re.split(r"# This run\n|# The other run: one task\n", one)
    spaces: list[dict[str, Any]] = [{}, {}]
    for space, lines in zip(spaces, (first, second), strict=True):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(imports + lines, space)
    many, single = spaces
    assert many["start"].W.equal(single["start"].W) and many["inputs"].M.equal(single["inputs"].M)
    assert single["tasks"].equal(many["tasks"][:1]) and len(many["tasks"]) == SMALL["tasks"]
    assert single["settings"].representation_step == many["settings"].representation_step
    assert linear.endswith("# The other run: a linear layer\n# mtfl.pretrain does without the activation identity.\n")
    assert [line for line in other.splitlines() if line.startswith("new = ")] == 2 * [
        'new = mtfl.sample_tasks(1, 2, law="balanced", generator=random["new"])[0]'
    ]


def test_python_says_what_pretrain_does_without() -> None:
    (found,) = trained([SMALL | {"activation": "GELU", "flips": 0.1, "heads": "fresh", "rounds": 0}], seeds=(1,))
    first = found[0]["python"].splitlines()[0]
    names = ("the activation GELU", "flipped labels", "heads that start from zero in each round")
    assert first == f"# mtfl.pretrain does without {' and '.join(names)}."


def test_the_theory_runs_through_the_first_rounds() -> None:
    (found,) = trained([{"rounds": 12}], seeds=(1, 2))
    for result in found:
        (run,) = result["runs"]
        assert len(run["theory"]) > 8
        for law, energy in zip(run["theory"], run["trace"], strict=False):
            assert abs(law - energy) < 0.06
