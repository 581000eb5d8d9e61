"""What a caption says first, in bold, is so: by a claim of the ledger, or by numbers that are looked at here.

``captions.toml`` has the sentence of every figure and what it rests on.
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch

from mtfl import GaussianInputs, all_tasks, streams
from mtfl.claims import CLAIMS
from mtfl.single_task import single_task_steps
from mtfl.tasks import degree_one, pattern_signs, walsh_coefficients

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = {path.stem: nbformat.read(path, as_version=4).cells for path in sorted(BOOK.glob("*.ipynb"))}
FIGURES = {
    figure["name"]: figure["caption"]
    for cells in CHAPTERS.values()
    for cell in cells
    if (figure := cell.metadata.get("mystnb", {}).get("figure"))
}


KINDS, WHAT, DATA = ("plain", "whitened"), ("energy", "conditioning"), ("digits", "mnist")
TAKEAWAYS: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("captions.toml").read_text("utf8"))


def runs(name: str, **chosen: Any) -> pd.DataFrame:
    """The rows of a sweep's data with these values."""
    table = pd.read_csv(BOOK / "data" / f"{name}.csv")
    rows = np.ones(len(table), dtype=bool)
    for column, value in chosen.items():
        rows &= (table[column] == value).to_numpy()
    return table.loc[rows]


@functools.cache
def glued() -> dict[str, str]:
    """What the checked cells hand to the text; a run is compared with it (tests/test_notebooks.py)."""
    outputs = (output for cells in CHAPTERS.values() for cell in cells for output in cell.get("outputs", []))
    shown = ((output.get("metadata", {}).get("scrapbook", {}), output.get("data", {})) for output in outputs)
    text = "application/papermill.record/text/plain"
    return {place["name"]: str(data[text]).strip("'") for place, data in shown if text in data}


def quoted(key: str) -> float:
    """The first number of what a cell hands over under this name."""
    found = re.search(r"-?[0-9.]+(e[-+][0-9]+)?", glued()[key])
    assert found, key
    return float(found[0])


def rises(values: Any, slack: float = 0.0) -> bool:
    return bool(np.all(np.diff(list(values)) > -slack))


@functools.cache
def steps_of_all(r: int, d: int = 1000) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """One exact step on every task, the tasks, and the lengths of their parts of degree one."""
    F = all_tasks(r)
    return single_task_steps(F, d), F, degree_one(walsh_coefficients(F)).norm(dim=1)


def two_views() -> bool:
    X = GaussianInputs(torch.eye(20, 2).double()).sample(20_000, generator=streams(0, "views")["views"])
    label, others = X[:, :2].sign().prod(1), X[:, 2:4]
    seen = torch.stack([others[:, 0], others[:, 1], others.prod(1)])
    return float((seen * label).mean(1).abs().max()) < 0.04


def sixteen() -> bool:
    F = all_tasks(2)
    constant, blind = F.abs().sum(1) == F.sum(1).abs(), degree_one(walsh_coefficients(F)).abs().sum(1) == 0
    return int(constant.sum()) == 2 and int((blind & ~constant).sum()) == 2


def spectra() -> bool:
    Z = pattern_signs(3)
    pure = torch.stack([Z[:, 0], Z.prod(1)])
    mixed = torch.stack([Z.sum(1).sign(), torch.where(Z[:, 0] > 0, Z[:, 1], Z[:, 2])])
    counts = [int((walsh_coefficients(f[None]) != 0).sum()) for f in (*pure, *mixed)]
    return counts[:2] == [1, 1] and min(counts[2:]) == 4


def sixteen_steps() -> bool:
    steps, _, _ = steps_of_all(2)
    return steps.directions.bincount().tolist() == [2, 12, 2] and bool(steps.faint[steps.directions == 2].all())


def no_task_has_both() -> bool:
    steps, _, _ = steps_of_all(3)
    return not bool(((steps.energy >= 0.5) & (steps.conditioning > 0.3)).any())


def fading() -> bool:
    best = [float(s.conditioning[f1 > 0].max()) for d in (100, 1000, 10_000) for s, _, f1 in [steps_of_all(3, d)]]
    return best[0] > best[1] > best[2] and max(best[1:]) < 0.3


def ill_conditioned() -> bool:
    return all(float((steps_of_all(r)[0].conditioning <= 0.1).double().mean()) > 0.9 for r in (3, 4))


def story_one_task() -> bool:
    none, one, two, three = steps_of_all(3)[0].directions.bincount(minlength=4).tolist()
    return one > 128 and three == 0 and one > none > two > 0


def rounds() -> bool:
    end = runs("long", rounds=400).groupby(["representation_step", "tasks"]).median()
    few, many = end.xs(1, level="tasks"), end.xs(64, level="tasks")
    alike = bool(((few.energy - many.energy).abs() < 0.1).all())
    return (
        alike
        and end.energy.loc[3.2].min() > 5 * end.energy.loc[0.05].max()
        and bool((many.conditioning > few.conditioning + 0.2).all())
    )


def fixed_step() -> bool:
    groups = runs("recovery").groupby(["d", "tasks"])
    middle, spread = groups.median(), groups.quantile(0.9) - groups.quantile(0.1)
    even, lucky = middle.conditioning.unstack(), spread.conditioning.unstack()
    costs = middle.loc[24] - middle.loc[192]
    return (
        all(rises(row) for row in even.values)
        and bool((lucky[256] < 0.2 * lucky[1]).all())
        and bool((costs.loc[[16, 64, 256]][["energy", "conditioning"]] < 0.15).all(axis=None))
    )


def dimensions() -> bool:
    table = runs("dimensions")
    end = table[table.rounds == table.rounds.max()].groupby("d").median()
    needed = table[table.conditioning > 0.7].groupby(["d", "seed"]).rounds.min().groupby("d").median()
    return bool(end.energy.min() > 0.9 and end.conditioning.min() > 0.7) and rises(needed, 0.1) and len(end) == 6


def decay() -> bool:
    end = runs("decay", rounds=100).groupby("weight_decay").median()
    return rises(end.energy) and rises(-end.accuracy) and len(end) == 3


def transfer_grid() -> bool:
    middle = runs("transfer_grid").groupby("d").median()
    return float(np.ptp(middle.parity_oracle_subspace_50)) < 0.02 and rises(-middle.parity_pretrained_50)


def five() -> bool:
    middle = runs("transfer_full").groupby("d").median().filter(like="parity_")
    near = middle.parity_oracle_subspace - middle.parity_pretrained
    others = middle.drop(columns=["parity_oracle_subspace", "parity_pretrained"])
    return bool((near < 0.1).all()) and bool((others < 0.65).all(axis=None))


def curves() -> bool:
    middle = runs("transfer_curves").groupby(["neurons", "examples"]).median().filter(like="parity_")
    gains = [
        middle.loc[256].iloc[-1] - middle.loc[256].iloc[0],
        middle.xs(512, level="examples").iloc[-1] - middle.xs(512, level="examples").iloc[0],
    ]
    sees, one = ["parity_pretrained", "parity_oracle_subspace"], "parity_single_task"
    rest = ["parity_random_features", "parity_linear_layer"]
    return all(
        bool((gain[sees] > 0.2).all()) and 0.02 < gain[one] < 0.15 and bool((gain[rest].abs() < 0.05).all())
        for gain in gains
    )


def slopes() -> bool:
    middle = runs("transfer_dimension", batch_size=2048).groupby("d").median()
    change = middle.loc[512] - middle.loc[8]
    kinds = [f"{task}_{name}" for task in ("parity", "random") for name in ("oracle_subspace", "pretrained")]
    return bool((change[kinds[::2]].abs() < 0.02).all()) and bool((change[kinds[1::2]] < -0.1).all())


def phase() -> bool:
    table = runs("phase", law="balanced", d=64).pivot(index="tasks", columns="batch_size", values="weakest_share_50")
    few_tasks, few_inputs, both = table.loc[1].max(), table[256].max(), table.iloc[-1, -1]
    return bool(few_tasks < 0.1 and few_inputs < 0.35 and both > 0.7)


def methods() -> bool:
    best = runs("methods").groupby(["method", "dial"]).weakest_share.median().groupby("method").max().sort_values()
    return (
        best.index[0] == "pairs, task by task"
        and best["pairs, all labels"] > best.drop(["pairs, all labels", "pairs, patterns"]).max()
    )


def real_transfer() -> bool:
    for data, T in (("digits", 128), ("mnist", 128)):
        ours = runs(f"{data}_tasks", representation="tasks", tasks=T)
        lead = ours.median(numeric_only=True) - runs(f"{data}_baselines", representation="rbf").median(
            numeric_only=True
        )
        if not float(lead["accuracy_30"]) > 0 > float(lead["accuracy_500"]):
            return False
    return True


def real_budget() -> bool:
    one = {"representation": "one label"}
    best = [runs(f"{data}_tasks", **one).groupby("tasks").accuracy_100.mean().idxmax() for data in DATA]
    return 4 <= min(best) and max(best) <= 32


def unseen() -> bool:
    middle = runs("digits_unseen").groupby("representation").median().filter(like="accuracy")
    return bool(
        (middle.loc["tasks"] <= middle.loc["random"]).all() and (middle.loc["all classes"] > middle.loc["random"]).all()
    )


def story_rounds() -> bool:
    groups = runs("recovery", d=192).groupby("tasks")
    middle, spread = groups.median(), (groups.quantile(0.9) - groups.quantile(0.1)).conditioning
    return float(np.ptp(middle.energy)) < 0.15 and rises(middle.conditioning) and spread[256] < 0.1 * spread[1]


def story_transfer() -> bool:
    middle = runs("transfer_dimension", batch_size=2048).groupby("d").median().filter(like="parity_")
    flat, falls = middle.parity_oracle_subspace, middle.parity_pretrained
    chance = middle.parity_random_features.loc[32:]
    return float(np.ptp(flat)) < 0.02 and rises(-falls) and bool(((chance - 0.5).abs() < 0.02).all())


def scaling() -> bool:
    for path in sorted((BOOK / "data" / "benchmarks").glob("*.json")):
        axes = json.loads(path.read_text("utf8")).get("scaling", {}).get("axes", {})
        if not all(rises(found["ms"]) for found in axes.values()):
            return False
    return True


def sampled_tasks() -> bool:
    middle = runs("phase", d=64, batch_size=4096).set_index(["law", "tasks"])
    balanced, uniform = (middle.loc[law].loc[16384] for law in ("balanced", "uniform"))
    even = all(rises(middle.loc[law].loc[4:].conditioning_50, 0.05) for law in ("balanced", "uniform"))
    return even and 0.9 < balanced.energy_50 < 1 and 0.35 < uniform.energy_50 < 0.65


def mended() -> bool:
    return all(quoted(f"training-small-{T}-lowest") < quoted(f"training-small-{T}-last") for T in (16, 64))


def some_pick_up() -> bool:
    grown = quoted("single-long-switch") > quoted("single-switch-lowest") + 0.1
    return grown and quoted("single-long-energy-parity-of-three") < 0.2


def more_labels() -> bool:
    def gain(kind: str) -> float:
        return quoted(f"single-budget-rich-{kind}") - quoted(f"single-budget-one-{kind}")

    return gain("neither") > 0.1 and quoted("single-budget-ceiling") < quoted("single-budget-rich-neither")


def two_debts() -> bool:
    return quoted("transfer-gap-tasks") >= 0.1 and quoted("transfer-gap-inputs") >= 0.1


def real_step() -> bool:
    energy, gain = (
        {kind: quoted(f"real-{what}-{kind}-{T}") - (quoted(f"real-{what}-{kind}-1") if T > 1 else 0) for kind in KINDS}
        for what, T in (("step", 1), ("cond", 128))
    )
    return min(energy.values()) > 0.5 and gain["whitened"] > 0.15 and gain["plain"] < 0.1


def intro() -> bool:
    energy, even = ({n: quoted(f"intro-{what}-{n}") for n in ("sign", "parity", "many")} for what in WHAT)
    return even["sign"] < 0.1 and energy["parity"] < 0.2 and min(energy["many"], even["many"]) > 0.7


def turned_back() -> bool:
    early, late = ({k: quoted(f"near-slow-{n}-{k}") for k in ("energy", "carried", "beyond")} for n in (40, 240))
    turned = early["carried"] - early["energy"] > 0.1 and late["energy"] - late["carried"] > 0.1
    return turned and late["beyond"] > 2 * early["beyond"]


def burn_in_and_tilts() -> bool:
    slow = quoted("near-burn-0.9-24") > 2 * quoted("near-burn-0-24")
    return slow and all(
        quoted(f"near-own-{kind}-own") - quoted(f"near-own-{kind}-common") > 0.2 for kind in ("even", "random")
    )


def small_weights() -> bool:
    errors = [quoted(f"fit-scale-32-nested-{factor}") for factor in ("0.001", "0.01", "0.1", "1", "10", "100")]
    return errors == sorted(errors) and errors[2] < 0.1 < 0.2 < errors[3]


def relu_layer() -> bool:
    best = all(
        quoted(f"fit-relu-{task}-finetuned") < quoted(f"fit-relu-{task}-head-only") + 0.02
        for task in ("parity", "balanced")
    )
    return best and rises([quoted(f"fit-relu-{size}") for size in ("small", "middle", "large")])


def prompts() -> bool:
    middle = runs("prompts").groupby(["source", "d"]).median()
    cost = middle.xs(256, level="d") - middle.xs(16, level="d")
    return bool(cost.error_128.pretrained < 0.06 < 0.1 < cost.error_128["Gaussian kernel"]) and bool(
        (middle.loc[("Gaussian kernel", 256)].min() > middle.loc[("pretrained", 256)].error_16).all()
    )


def few_tasks() -> bool:
    middle = runs("prompt_tasks").groupby(["d", "tasks"]).error_128.median().unstack()
    few, many = middle[1] - middle[16], middle[16] - middle[1024]
    return bool((few > 0.08).all() and few[256] > few[16] + 0.05 and (many.abs() < 0.03).all())


def attacks() -> bool:
    robust = runs("attacks", layer="pretrained", radius=0.5).groupby("d").accuracy_50.median()
    return bool((robust - quoted("frozen-half-50")).abs().max() < 0.02 and robust.min() > quoted("frozen-rule-maj-50"))


def flipped() -> bool:
    middle = runs("flips").groupby(["rule", "energy", "d", "flips"]).median().interpolating.unstack()
    cost = middle[0.0] - middle[0.1]
    return all(
        cost[rule][1.0][2048] > 1.5 * cost[rule][0.9][2048] and rises(middle[0.1][rule][0.9])
        for rule in ("one sign", "parity of two")
    )


LOOKS: dict[str, Callable[[], bool]] = {
    look.__name__: look
    for look in (
        two_views, sixteen, spectra, sixteen_steps, no_task_has_both, fading, ill_conditioned, story_one_task, rounds,
        fixed_step, dimensions, decay, transfer_grid, five, curves, slopes, phase, methods, real_transfer, real_budget,
        unseen, story_rounds, story_transfer, scaling, sampled_tasks, mended, some_pick_up, more_labels, two_debts,
        real_step, intro, turned_back, burn_in_and_tilts, small_weights, relu_layer, prompts, few_tasks, attacks,
        flipped,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_the_first_sentence_of_a_caption_is_so(name: str) -> None:
    words, basis = TAKEAWAYS[name]
    found = re.match(r"\*\*(.*?)\*\*", FIGURES[name])
    assert found and found[1] == words, "look again at what this rests on, then write it here"
    if basis in LOOKS:
        assert LOOKS[basis]()
    else:
        assert set(basis.split()) <= {claim.id for claim in CLAIMS}


def test_no_caption_is_kept_that_is_gone() -> None:
    assert TAKEAWAYS.keys() == FIGURES.keys()
