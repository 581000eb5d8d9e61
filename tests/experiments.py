"""What the laboratory's experiments show, for each link of its page, in each of the first draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Fact = Callable[[list[float], list[float], "list[dict[str, float]] | None"], bool]
"""Of energies, conditionings and, where heads were fitted on a new task, accuracies: of both runs."""


def fitted(holds: Callable[[dict[str, float], dict[str, float]], bool]) -> Callable[[Any], bool]:
    """A fact of both runs' accuracies."""
    return lambda found: holds(found[0], found[1])


def way(run: dict[str, float]) -> float:
    """How far a run's features come from random ones, 0, to the oracle's, 1."""
    return (run["trained"] - run["random"]) / (run["oracle"] - run["random"])


parity = fitted(lambda many, one: many["oracle"] > many["trained"] > max(one["trained"], one["random"] + 0.1))
halves = fitted(lambda many, one: way(one) < 0.5 < way(many))
blind = fitted(lambda relu, linear: relu["trained"] > 0.62 and linear["trained"] < 0.57)
relabelled = fitted(lambda many, one: way(many) > 0.6 and many["trained"] - 0.5 > max(0.13, 2 * (many["random"] - 0.5)))


def uneven(e: list[float], c: list[float]) -> bool:
    """One task teaches one direction, and that sooner."""
    return e[1] > e[0] and c[0] > 0.35 and c[1] < 0.5 * c[0]


FACTS: dict[str, Fact] = {
    "rounds=20&against=opposite+labels": lambda e, c, _: e[0] == e[1] > 0.7 and c[0] == c[1],
    "rounds=60": lambda e, c, _: e[0] > 0.9 and c[0] > 0.7,
    "rounds=10&against=one+task": lambda e, c, _: uneven(e, c),
    "batch=128&rounds=10&against=one+task+with+all+the+inputs": lambda e, c, _: uneven(e, c),
    "r=2&tasks=1&rounds=60": lambda e, c, _: c[0] < 0.35 and e[0] > 0.25,
    "rounds=60&against=one+task&new_task=parity&fitted=yes": lambda e, c, found: (
        parity(found) and halves(found) and c[1] < 0.8 * c[0]
    ),
    "law=parity&rounds=60&against=a+linear+layer&new_task=parity&fitted=yes": lambda e, c, found: (
        min(e) > 0.7 and blind(found)
    ),
    "tasks=2&step=64&rounds=10": lambda e, c, _: c[0] < 0.5 and e[0] > 0.15,
    "r=5&rounds=20&against=as+many+tasks+as+features": lambda e, c, _: c[1] < 0.8 * c[0] and e[1] > e[0] - 0.1,
    "batch=16&rounds=60": lambda e, c, _: 0.4 < e[0] < 0.6,
    "d=20&tasks=512&rounds=1&head_step=0.05&step=100&against=uniform+labels+with+decay": (
        lambda e, c, _: e[0] > 0.8 and 0.4 < e[1] < e[0] - 0.1
    ),
    "d=100&tasks=512&rounds=1&head_step=0.05&step=100&against=uniform+labels+with+decay": (
        lambda e, c, _: 0.4 < e[0] < 0.65 and e[1] < 0.2
    ),
    "law=uniform&tasks=16&rounds=40&against=centred+labels": lambda e, c, _: e[1] > e[0] + 0.08,
    "flips=0.3&rounds=100": lambda e, c, _: e[0] > 0.85 and c[0] > 0.7,
    "flips=0.3&batch=64&rounds=60&against=as+many+tasks+as+features": lambda e, c, _: e[0] > e[1] + 0.2,
    "r=1&activation=absolute+value&rounds=60": lambda e, c, _: e[0] < 0.05,
    "inputs=hypercube&rule=Adam&rate=1&rounds=1": lambda e, c, _: e[0] < 0.1,
    "r=4&rounds=60&against=one+task&new_task=another&examples=64&fitted=yes": lambda e, c, found: relabelled(found),
    "rounds=30&against=coloured+inputs": lambda e, c, _: 0.7 < e[1] < e[0] - 0.03,
}
