"""Three readers of the same examples."""

from __future__ import annotations

import traitlets

from mtfl.explorables.explorable import Choice, Explorable, Number, Output, Seed


class InContext(Explorable):
    """Examples of a rule of two hidden features, read in context on raw inputs, random features and learned ones.

    Each reader is kernel ridge regression of the labels: on raw inputs with a Gaussian kernel of width sqrt(d), on
    random features with that of infinitely many ReLU neurons, on learned ones with that of neurons which look at the
    hidden features only, as after one step on infinitely many balanced tasks. The ridge is a tenth of the mean square
    of the features. Errors are counted over one fresh input for each of 256 equally likely cells of the plane. Examples
    and queries have the same hidden features in every dimension, so what the third reader says does not depend on it.

    Args:
        examples: N, 1 to 256.
        d: dimension of the inputs, 2 to 256.
        rule: "first" or "second", the sign of a feature, or their "parity": the balanced rules, up to their sign.
        seed: of examples and queries; the draws are JavaScript's own.
        raw: share of fresh inputs on which the reader of raw inputs errs; written by the figure.
        random: likewise for random features.
        learned: likewise for learned features.
    """

    module = "context"
    heights = ("30.5rem", "56.5rem")

    name = traitlets.Unicode("fig-context").tag(sync=True)
    title = traitlets.Unicode("Three readers of the same examples").tag(sync=True)
    alt = traitlets.Unicode(
        "Examples of a rule in the plane of two hidden features, and three planes with what readers of them guess for "
        "fresh inputs: speckled for raw inputs and random features, nearly the rule itself for learned ones. A chart "
        "shows the errors of the three against the number of examples."
    ).tag(sync=True)

    examples = Number(16, least=1, most=256)
    d = Number(64, least=2, most=256)
    rule = Choice("first", among=("first", "second", "parity"))
    seed = Seed(6)
    raw = Output()
    random = Output()
    learned = Output()
