"""The choice of the product: by a clock and a machine that are made up, and the accuracy of what is chosen here."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from waiting import HANG

from mtfl import GaussianInputs, PretrainSettings, TwoLayerReLU, _products, pretrain, sample_tasks, streams
from mtfl._products import _cuda, _onednn, add_product, choice, product, quickest

LARGE = {"rows": 1024, "heads": 64, "batches": "shared"}
W = torch.zeros(512, 128)


def states() -> tuple[str, str, str]:
    """All of torch's settings that a choice could touch."""
    return torch.get_float32_matmul_precision(), _onednn.fp32_precision, _cuda.fp32_precision


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No choice made yet, torch's settings as they are at start, and again afterwards."""
    monkeypatch.setattr(_products, "_choices", {})
    monkeypatch.delenv("MTFL_KEEP_PRODUCT", raising=False)
    for begins in (True, False):
        torch.set_float32_matmul_precision("highest")
        _onednn.fp32_precision = _cuda.fp32_precision = "none"
        if begins:
            yield


class Machine:
    """A processor on which each setting takes a time and makes an error; 1 and 0 where none is given.

    Its products are those of float64, rounded; what a setting does on the processor that runs the tests has no part.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, costs: dict[str, float], errors: dict[str, float]) -> None:
        self.time, self.reads, self.errors = 0.0, 0, errors
        right = _products._products

        def products(*factors: Tensor) -> list[Tensor]:
            setting = torch.get_float32_matmul_precision()
            self.time += costs.get(setting, 1.0)
            off = self.errors.get(setting, 0.0) if factors[0].dtype == torch.float32 else 0.0
            return [(x * (1 + off)).to(factors[0].dtype) for x in right(*(y.double() for y in factors))]

        def clock() -> float:
            self.reads += 1
            return self.time

        monkeypatch.setattr(_products, "_products", products)
        monkeypatch.setattr(_products, "_clock", clock)


@pytest.fixture
def favours_medium(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch, {"medium": 0.5}, {"medium": 4e-7})


# The choice


@pytest.mark.parametrize("batches", ["shared", "per-task"])
@pytest.mark.parametrize(
    ("costs", "errors", "expected"),
    [
        ({"medium": 0.94}, {"medium": 4e-7}, "medium"),
        ({"medium": 0.96}, {"medium": 4e-7}, "highest"),
        ({"medium": 0.5}, {"medium": 1e-5}, "highest"),
        ({"medium": 0.5}, {"medium": 2e-3}, "highest"),
        ({"medium": 0.5}, {"medium": float("nan")}, "highest"),
        ({"medium": 0.5, "high": 0.4}, {"medium": 4e-7, "high": 3e-4}, "medium"),
        ({"medium": 0.5, "high": 0.4}, {"medium": 4e-7, "high": 4e-7}, "high"),
        ({"medium": 2.0}, {"medium": 4e-7}, "highest"),
    ],
)
def test_the_quickest_that_is_accurate_is_chosen(
    monkeypatch: pytest.MonkeyPatch, costs: dict, errors: dict, expected: str, batches: str
) -> None:
    Machine(monkeypatch, costs, errors)
    before = states()
    assert choice(batches) == expected
    assert states() == before


def test_a_setting_that_changes_no_bit_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, {"medium": 0.1, "high": 0.1}, {})
    assert choice("shared") == "highest"
    assert machine.reads == 0


def test_an_inaccurate_setting_makes_one_set_of_products(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, {"medium": 1000.0}, {"medium": 2e-3})
    choice("shared")
    assert 1000 <= machine.time < 2000


def test_each_kind_has_one_trial(favours_medium: Machine) -> None:
    choice("shared")
    spent = favours_medium.time
    favours_medium.errors["medium"] = 1.0
    assert choice("shared") == "medium"
    assert favours_medium.time == spent
    assert choice("per-task") == "highest"


def test_a_trial_that_fails_puts_back_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Tensor) -> list[Tensor]:
        if torch.get_float32_matmul_precision() == "medium":
            raise RuntimeError("no such kernel")
        return [torch.zeros(1)]

    monkeypatch.setattr(_products, "_products", fails)
    before = states()
    with pytest.raises(RuntimeError, match="no such kernel"):
        choice("shared")
    assert states() == before


@pytest.mark.parametrize("batches", ["shared", "per-task"])
def test_what_is_chosen_here_is_accurate(batches: str) -> None:
    setting = choice(batches)
    assert setting in ("highest", "high", "medium")
    random = torch.Generator().manual_seed(1)
    factors = [torch.randn(shape, generator=random) for shape in ((900, 70), (130, 70), (3, 5, 130), (3, 300, 5))]
    torch.set_float32_matmul_precision(setting)
    for found, exact in zip(
        _products._products(*factors), _products._products(*(x.double() for x in factors)), strict=True
    ):
        assert float((found.double() - exact).norm()) <= 2e-6 * float(exact.norm())


# What is in force, and what is put back


def test_the_choice_is_in_force_within_and_put_back_after(favours_medium: Machine) -> None:
    before = states()
    with quickest(W, **LARGE):
        assert states() == ("medium", "bf16", before[2])
    assert states() == before


@pytest.mark.usefixtures("favours_medium")
def test_errors_put_it_back_too() -> None:
    before = states()
    with pytest.raises(ZeroDivisionError), quickest(W, **LARGE):
        raise ZeroDivisionError
    assert states() == before


@pytest.mark.parametrize(
    ("weights", "change"),
    [
        (W.double(), {}),
        (W.to("meta"), {}),
        (W[:64], {"rows": 512}),
    ],
    ids=["float64", "device", "small"],
)
def test_other_trainings_stay_as_they_are(favours_medium: Machine, weights: Tensor, change: dict) -> None:
    with quickest(weights, **{**LARGE, **change}):
        assert torch.get_float32_matmul_precision() == "highest"
    assert favours_medium.time == 0


def test_a_word_in_the_environment_switches_it_off(favours_medium: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTFL_KEEP_PRODUCT", "1")
    with quickest(W, **LARGE):
        assert torch.get_float32_matmul_precision() == "highest"
    assert favours_medium.time == 0


@pytest.mark.parametrize("setting", ["high", "medium"])
def test_who_has_set_another_has_chosen(favours_medium: Machine, setting: str) -> None:
    torch.set_float32_matmul_precision(setting)
    before = states()
    with quickest(W, **LARGE):
        assert states() == before
    assert states() == before
    assert favours_medium.time == 0


def test_settings_made_library_by_library_stay(favours_medium: Machine) -> None:
    _onednn.fp32_precision = "bf16"  # torch then refuses to name one setting
    with quickest(W, **LARGE):
        assert _onednn.fp32_precision == "bf16"
    assert _onednn.fp32_precision == "bf16"
    assert favours_medium.time == 0


@pytest.mark.usefixtures("favours_medium")
def test_the_last_of_several_trainings_puts_it_back() -> None:
    before = states()
    entered, may_leave = [threading.Event() for _ in range(2)], [threading.Event() for _ in range(2)]

    def train(i: int) -> None:
        with quickest(W, **LARGE):
            entered[i].set()
            may_leave[i].wait(timeout=HANG)

    threads = [threading.Thread(target=train, args=(i,)) for i in range(2)]
    for thread, event in zip(threads, entered, strict=True):
        thread.start()
        assert event.wait(timeout=HANG)
    for thread, event, expected in zip(threads, may_leave, ("medium", "highest"), strict=True):
        event.set()
        thread.join()
        assert torch.get_float32_matmul_precision() == expected
    assert states() == before


def test_a_kind_that_would_keep_the_default_joins_those_that_run(favours_medium: Machine) -> None:
    choice("shared")
    favours_medium.errors["medium"] = 1.0
    with quickest(W, **{**LARGE, "batches": "per-task"}):
        assert torch.get_float32_matmul_precision() == "highest"
        with quickest(W, **LARGE), quickest(W, **{**LARGE, "batches": "per-task"}):
            assert torch.get_float32_matmul_precision() == "medium"
        assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.usefixtures("favours_medium")
def test_what_is_set_meanwhile_stays() -> None:
    with quickest(W, **LARGE):
        torch.set_float32_matmul_precision("high")
        with quickest(W, **LARGE):
            assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    with quickest(W, **LARGE):
        _cuda.fp32_precision = "tf32"
    assert _cuda.fp32_precision == "tf32"


@pytest.mark.parametrize("machine", ["made up", "this one"])
def test_training_runs_under_the_choice_and_its_result_is_float32s(
    monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    if machine == "made up":  # on this one, what the made-up one chooses may round to fewer digits
        Machine(monkeypatch, {"medium": 0.5}, {"medium": 4e-7})
    random = streams(0, "subspace", "tasks", "weights", "batches")
    seen = []

    class Seeing(GaussianInputs):
        def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
            seen.append(torch.get_float32_matmul_precision())
            return super().sample(n, generator=generator)

    inputs = Seeing(GaussianInputs.random(128, 3, generator=random["subspace"], dtype=torch.float32).M)
    F = sample_tasks(32, 3, law="uniform", generator=random["tasks"]).float()
    start = TwoLayerReLU.random(256, 128, tasks=32, generator=random["weights"], dtype=torch.float32)
    settings = PretrainSettings(rounds=2, batch_size=1024, head_step=0.05, representation_step=0.5)
    results = []
    for expected in ("medium" if machine == "made up" else choice("shared"), "highest"):
        seen.clear()
        results.append(pretrain(start, inputs, F, settings, generator=streams(0, "batches")["batches"]))
        assert set(seen) == {expected}
        assert torch.get_float32_matmul_precision() == "highest"
        _products._choices["shared", torch.get_num_threads()] = "highest"
    if machine == "this one":
        assert_close(results[0].network.W, results[1].network.W, rtol=1e-4, atol=1e-6)


# The products themselves


@pytest.mark.parametrize("groups", [1, 3])
def test_products_group_by_group(groups: int) -> None:
    random = torch.Generator().manual_seed(0)
    X, Y = (torch.randn(groups, *shape, generator=random, dtype=torch.float64) for shape in ((4, 5), (5, 6)))
    expected = torch.stack([(x[:, :, None] * y[None]).sum(1) for x, y in zip(X, Y, strict=True)])
    out = torch.empty(groups, 4, 6, dtype=torch.float64)
    assert product(X, Y, out=out) is out
    assert_close(out, expected)
    add_product(out, X, Y)
    assert_close(out, 2 * expected)
