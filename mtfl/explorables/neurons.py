"""Neurons in the plane."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Choice, Count, Explorable, Number, Output, Seed


class NeuronsInPlane(Explorable):
    """Two features, random neurons, and the exact population step, round after round.

    Heads start at zero again in each round, so that a round is one :func:`mtfl.population.population_step`, here with
    kappa^2 eta_a = 1, and ``Neurons.moved``. Moving any control but the round starts anew and shows one round.

    Args:
        tasks: T, or ``math.inf``.
        law: of the tasks, "uniform" or "balanced".
        d: input dimension.
        decay: weight decay in units of 2^-r / 2 pi, which cancels the growth outside the plane under infinitely many
            uniform tasks.
        step_size: eta_w.
        rounds: done, 0 to 20.
        seed: of neurons and tasks; the draws are JavaScript's own.
        energy: of the neurons that are shown; written by the figure.
        conditioning: likewise.
    """

    module = "neurons"
    heights = ("34.75rem", "64rem")

    name = traitlets.Unicode("fig-neurons").tag(sync=True)
    title = traitlets.Unicode("Neurons in the plane").tag(sync=True)
    alt = traitlets.Unicode(
        "Random neurons, drawn by their two features, after a training step: on one task they fall onto a line, on "
        "many tasks they form a round cloud. Controls set the number of tasks, their law and the training."
    ).tag(sync=True)

    tasks = Count(1)
    law = Choice("balanced", among=("balanced", "uniform"))
    d = Number(30, least=3, most=1000)
    decay = Number(0.0, least=0, most=1.2, whole=False)
    step_size = Number(60.0, least=0, most=100, whole=False)
    rounds = Number(1, least=0, most=20)
    seed = Seed(15)
    energy = Output()
    conditioning = Output()
