"""The laboratory."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from mtfl._checks import finite_array, require, shown
from mtfl.activations import ACTIVATIONS
from mtfl.explorables.explorable import Choice, Explorable, Number, Output, Seed
from mtfl.tasks import LAWS

MOST_PAINTED, MOST_FEATURES = 8, 4
"""Of the tasks that are painted."""
PATTERNS = {r: 2**2 ** min(r, MOST_FEATURES) - 1 for r in (1, 2, 3, 4, 5)}
AGAINST = (
    "nothing",
    "one task",
    "one task with all the inputs",
    "as many tasks as features",
    "four times the inputs",
    "opposite labels",
    "uniform labels",
    "uniform labels with decay",
    "centred labels",
    "coloured inputs",
    "ridge heads",
    "a linear layer",
    "flipped labels",
    "weight decay",
    "Adam",
)


class Laboratory(Explorable):
    """A two-layer network that the page itself trains, as :func:`mtfl.pretraining.pretrain` does, on batches it draws.

    Args:
        d: input dimension.
        r: number of features.
        neurons: their number m.
        tasks: T; at most 8, of at most four features, where the reader paints them.
        law: of the tasks, one of :data:`mtfl.tasks.LAWS`, or "painted".
        inputs: "gaussian", "hypercube" or "coloured" (of variances that fall as 1, 1/2, 1/3, ...).
        batch: inputs n in each batch; every round draws two.
        batches: "shared" by the tasks, or "per-task".
        activation: one of :data:`mtfl.activations.ACTIVATIONS`.
        loss: "hinge" or "logistic".
        heads: "carried" from round to round, "fresh" from zero in each, or "ridge".
        head_step: eta_a.
        head_steps: of each round.
        penalty: of ridge heads.
        rule: of the first layer, "gradient" or "Adam".
        step: eta_w / T, the step for each task.
        rate: Adam's.
        decay: lambda.
        labels: "signs", or "centred": with each task's mean taken off.
        flips: the share of labels that are flipped, each by a coin of its own.
        rounds: done.
        against: what a second run, from the same weights and streams, does otherwise; with another number of tasks it
            takes the same step of W in all, and "opposite labels" are those of every second task.
        first: the feature shown across, counted from 1.
        second: the feature shown upwards.
        examples: of a new task, when a head is fitted on it.
        new_task: "parity", "majority", "another" of the law, or "painted". It and its opposite are not trained on,
            unless it or the tasks are painted, or there is a single feature.
        fitted: whether a head is fitted on the new task wherever training comes to rest, "no" or "yes".
        paint_1: labels of the first painted task, bit k for pattern k; so up to paint_8.
        paint_new: labels of the new task, where it is painted, likewise.
        seed: of all draws, which are JavaScript's own.
        energy: of the weights after the last round; written by the figure.
        conditioning: likewise.
        loss_now: the loss on fresh inputs, likewise.
        accuracy: on fresh inputs, likewise.

    In Jupyter :meth:`paint` hands it tasks of one's own; :attr:`weights` and :attr:`traces` are what it has trained.
    """

    module = "laboratory"
    also = ("products.js", "training.js", "runs.js", "laboratory_pictures.js", "laboratory_steps.js")
    heights = ("93.5rem", "172.5rem")

    name = traitlets.Unicode("fig-laboratory").tag(sync=True)
    title = traitlets.Unicode("Laboratory").tag(sync=True)
    alt = traitlets.Unicode(
        "A network in training: its neurons by their features and by the directions that it has found itself, the "
        "share of its weights that lies in the hidden subspace, its singular values, and how often new inputs are "
        "labelled right. Buttons train it, and controls set the tasks, the inputs and the algorithm."
    ).tag(sync=True)

    d = Number(52, least=5, most=300)
    r = Number(3, least=1, most=5)
    neurons = Number(100, least=8, most=512)
    law = Choice("balanced", among=(*LAWS, "painted"))
    tasks = Number(64, least=1, most=512)
    inputs = Choice("gaussian", among=("gaussian", "hypercube", "coloured"))
    batch = Number(512, least=16, most=2048)
    batches = Choice("shared", among=("shared", "per-task"))
    activation = Choice("ReLU", among=tuple(ACTIVATIONS))
    loss = Choice("hinge", among=("hinge", "logistic"))
    heads = Choice("carried", among=("carried", "fresh", "ridge"))
    head_step = Number(0.01, least=0.001, most=100, whole=False)
    head_steps = Number(1, least=1, most=10)
    penalty = Number(100.0, least=0.001, most=1e6, whole=False)
    rule = Choice("gradient", among=("gradient", "Adam"))
    step = Number(2.0, least=0.0001, most=100, whole=False)
    rate = Number(0.02, least=0.0001, most=1, whole=False)
    decay = Number(0.0, least=0, most=1, whole=False)
    labels = Choice("signs", among=("signs", "centred"))
    flips = Number(0.0, least=0, most=0.45, whole=False)
    rounds = Number(0, least=0, most=2000)
    against = Choice("nothing", among=AGAINST)
    first = Number(1, least=1, most=5)
    second = Number(2, least=1, most=5)
    examples = Number(256, least=8, most=1024)
    new_task = Choice("parity", among=("parity", "majority", "another", "painted"))
    fitted = Choice("no", among=("no", "yes"))
    paint_1 = Number(6, least=0, most=("r", PATTERNS))
    paint_2 = Number(60, least=0, most=("r", PATTERNS))
    paint_3 = Number(15, least=0, most=("r", PATTERNS))
    paint_4 = Number(85, least=0, most=("r", PATTERNS))
    paint_5 = Number(51, least=0, most=("r", PATTERNS))
    paint_6 = Number(150, least=0, most=("r", PATTERNS))
    paint_7 = Number(23, least=0, most=("r", PATTERNS))
    paint_8 = Number(232, least=0, most=("r", PATTERNS))
    paint_new = Number(105, least=0, most=("r", PATTERNS))
    seed = Seed(1)
    energy = Output()
    conditioning = Output()
    loss_now = Output()
    accuracy = Output()
    _found = traitlets.Dict().tag(sync=True, echo_update=False)

    def paint(self, table: Any) -> None:
        """Train on tasks of one's own from now on: the figure shows them as painted.

        Args:
            table: (T, 2^r) labels -1 or +1 of up to eight tasks and up to four features. The column of a pattern is its
                number, in which bit i is set where feature i + 1 is positive, as in :func:`mtfl.tasks.sample_tasks`.

        Raises:
            TypeError: if ``table`` is no array of numbers with two axes.
            ValueError: if it has another shape or other labels.
        """
        where, labels = "Laboratory.paint", finite_array("Laboratory.paint", "table", table, (None, None))
        T, K = labels.shape
        fits = T <= MOST_PAINTED and K in (2**r for r in range(1, MOST_FEATURES + 1))
        words = f"of shape (T, 2^r) with T <= {MOST_PAINTED} and r <= {MOST_FEATURES}"
        require(fits, where, "table", words, f"shape {labels.shape}", "Give one row for each task.")
        wrong = labels[abs(labels) != 1]
        require(
            not wrong.size, where, "table", "of labels -1 and +1", shown(wrong[:1].tolist()), "Round them to signs."
        )
        with self.hold_sync():
            self.r = K.bit_length() - 1
            self.law, self.tasks = "painted", T
            for t, row in enumerate(labels):
                setattr(self, f"paint_{t + 1}", sum(1 << k for k in range(K) if row[k] > 0))

    @property
    def weights(self) -> tuple[dict[str, np.ndarray], ...]:
        """What each run has come to: empty unless the figure is at rest in the state that it has now.

        ``W`` (m, d), ``b`` (m,) as drawn last, ``A`` (T, m), one head a row, ``M`` (d, r), whose columns are the hidden
        directions, and ``F`` (T, 2^r), the labels of the tasks on the patterns.
        """
        found = []
        for run in self._current():
            arrays = {name: self._array(run[name]) for name in ("W", "b", "A", "M", "F")}
            M = arrays["M"].reshape(self.d, -1)  # painted tasks may have fewer features than were asked for
            shapes = {"W": (-1, self.d), "A": (-1, self.neurons), "M": M.shape, "F": (-1, 2 ** M.shape[1])}
            found.append(arrays | {name: arrays[name].reshape(shape) for name, shape in shapes.items()})
        return tuple(found)

    @property
    def traces(self) -> tuple[dict[str, np.ndarray], ...]:
        """What was measured on the way, for the same runs as :attr:`weights`.

        ``energy`` and ``conditioning`` (rounds + 1,), from the start on; ``loss`` and ``accuracy`` (rounds,) on fresh
        inputs; ``theory_energy`` and ``theory_conditioning``, as long as the theory's line is, or empty.
        """
        names = ("energy", "conditioning", "loss", "accuracy", "theory_energy", "theory_conditioning")
        return tuple({name: self._array(run[name]) for name in names} for run in self._current())

    def _current(self) -> list[dict[str, Any]]:
        """The runs that the figure told of, unless its state is another by now."""
        state = self._found.get("state", {})
        return self._found["runs"] if state and all(getattr(self, key) == value for key, value in state.items()) else []

    @staticmethod
    def _array(told: memoryview) -> np.ndarray:
        return np.frombuffer(told, dtype="<f8").copy()
