"""What the book says by comparing (rises, fewer, above, never, the mean of ...) is so, sentence by sentence.

``said.toml`` has each such sentence of a caption, of an alternative text, of a page's opening answer, of the results of
the story, of what is known, of the glossary, and of the text where it leads to a figure, beside what it rests on:
claims of the ledger, a look at the numbers (a function here or in test_captions.py, or an expression in them), or
``seen``, if only the picture tells. A sentence with nothing beside it says how something is drawn or called. Who
changes a sentence looks again, and writes it there; ``python tests/test_said.py`` prints the table as it would be now.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from explorable_examples import KINDS, example
from test_captions import (  # noqa: F401  # what the table's expressions are made of
    BOOK,
    CHAPTERS,
    FIGURES,
    LOOKS,
    attacks,
    dimensions,
    flipped,
    mended,
    prompts,
    quoted,
    real_budget,
    relu_layer,
    rises,
    rounds,
    runs,
    small_weights,
    some_pick_up,
    steps_of_all,
    turned_back,
    unseen,
)
from test_prose import alt_of

from mtfl import conditioning, energy_ratio, principal_angles, sample_tasks, streams, task_kernel
from mtfl.claims import CLAIMS
from mtfl.tasks import (  # noqa: F401
    all_tasks,
    centred,
    characters,
    degree_one,
    limit_kernel,
    pattern_signs,
    walsh_coefficients,
)

SAID: dict[str, list[list[str]]] = tomllib.loads(Path(__file__).with_name("said.toml").read_text("utf8"))
IDS = {claim.id for claim in CLAIMS}
WORDS = {
    page: "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown") for page, cells in CHAPTERS.items()
}

COMPARES = re.compile(
    r"\b(?:ris(?:e|es|ing)|rose|fall(?:s|ing)?|fell|gr[oe]ws?|growing|grown|growth|climbs?|shrinks?|shrinking|sinks?"
    r"|drops?|fades?|vanish\w*|lifts?|settles?|comes? (?:up|down|back|near|close)|more|fewer|less|most|mostly|least"
    r"|above|below|beyond|outside|inside|larger?|largest|small(?:er|est)?|high(?:er|est)?|low(?:er|est)?"
    r"|long(?:er|est)|short(?:er|est)?|bright|steep\w*|deeper|faster|fast|slower|slow|better|worse|best|worst|nearer"
    r"|farther|further|closer?|never|always|no|none|nothing|neither|nor|not|cannot|zero|stays?|levels?|flat|twice"
    r"|double[sd]?|doubling|half|quadrupl\w+|exceeds?|weak\w*|strong\w*|early|earlier|later?|nearly|almost|hardly"
    r"|barely|lost|loses?|lies?|gains?|leave[sd]?|together|apart|alike|narrow\w*|wide|uneven\w*|even|evenly|odd|enough"
    r"|suffices?|equal\w*|same|vermilion|few|[Pp]anel|[Dd]ashed|[Dd]otted|[Ss]olid|differ\w*|sum|product|minus|inverse|independent|mean|share|over)\b"
)
KEY = r"\{glue:text\}`([\w.-]+)`"
END = re.compile(r"(?<=[.!?])[\")*]*\s+(?=[A-Z*\"$|\\{(])")


def compares(words: str) -> bool:
    return bool(COMPARES.search(re.sub(r"\{[\w:]+\}`[^`]*`", "", words)))


def sentences(words: str) -> Iterator[str]:
    """The sentences that compare."""
    words, start = " ".join(words.split()), 0
    for end in (*(found.end() for found in END.finditer(words)), len(words)):
        if compares(sentence := words[start:end].strip()):
            yield sentence
        start = end


@functools.cache
def texts() -> dict[str, tuple[str, ...]]:
    """Figure or page -> the sentences that compare, but for the first ones of captions."""
    found: dict[str, list[str]] = {}
    for page, cells in CHAPTERS.items():
        for cell in cells:
            if figure := cell.metadata.get("mystnb", {}).get("figure"):
                found[figure["name"]] = [*sentences(re.sub(r"^\*\*.*?\*\*[,.]?", "", figure["caption"]))]
                found[figure["name"]] += sentences(alt_of(cell.source)) if cell.cell_type == "code" else []
        words = WORDS[page]
        answer = re.search(r":::\{admonition\} The question.*?\n:class: tip\n(.*?)\n:::", words, re.DOTALL)
        parts = [re.sub(r"^\s*\*\*.*?\*\*", "", answer[1])] if answer else []
        words = re.sub(r"^(`{3,}|:{3,})\{prf:\w+\}.*?^\1$", "", words, flags=re.DOTALL | re.MULTILINE)
        parts += [part for part in words.split("\n\n") if part.startswith("**Result.**")]
        found[page] = [sentence for part in parts for sentence in sentences(part)]
        running = (sentence for part in words.split("\n\n") if part[:1] != "|" for sentence in sentences(part))
        found[f"{page}, figures"] = [sentence for sentence in running if "{numref}`" in sentence]
        rows = re.findall(
            r"^\|.*(?:\{prf:ref\}|\{numref\}).*", words.split("## Where this is checked")[0], re.MULTILINE
        )
        found[f"{page}, tables"] = [row.strip() for row in rows if compares(row) and not re.search(KEY, row)]
    known = (BOOK / "known_and_open.md").read_text("utf8").partition("## What is proved")[2].split("## What is open")[0]
    bullets = (line[2:] for line in known.splitlines() if line.startswith("* "))
    found["known_and_open"] = [sentence for bullet in bullets for sentence in sentences(bullet)]
    glossary = (BOOK / "glossary.md").read_text("utf8")
    entries = re.findall(r"(?:^ +\S.*\n)+", glossary, re.MULTILINE)
    found["glossary"] = [sentence for entry in entries for sentence in sentences(entry)]
    found |= {kind.__name__: [*sentences(example(kind).alt)] for kind in KINDS}
    return {name: tuple(said) for name, said in found.items() if said}


def climbing(*keys: str) -> bool:
    """Whether quoted numbers grow in this order."""
    values = [quoted(key) for key in keys]
    return all(low < high for low, high in itertools.pairwise(values))


def textures() -> bool:
    balanced, parity, junta = (
        sample_tasks(400, 3, law=law, generator=streams(0, law)[law]) for law in ("balanced", "parity", "junta")
    )
    free = [(junta.view(-1, 2, 2, 2).diff(dim=i + 1) == 0).flatten(1).all(1) for i in range(3)]
    return (
        bool(((balanced > 0).sum(1) == 4).all())
        and len(parity.unique(dim=0)) == 14
        and bool(torch.stack(free).any(0).all())
    )


def both() -> bool:
    Z = pattern_signs(2)
    f = torch.where((Z > 0).all(1), 1.0, -1.0).double()
    parts = walsh_coefficients(f[None])[0][:, None] * characters(2)
    corners = [[round(float(x), 9) for x in parts[:, (Z == sign).all(1)].flatten()] for sign in (1, -1)]
    return corners == [[-0.5, 0.5, 0.5, 0.5], [-0.5, -0.5, -0.5, 0.5]]


def six_spectra() -> bool:
    Z = pattern_signs(3)
    F = torch.stack(
        [
            Z.sum(1).sign(),
            torch.where(Z[:, 0] > 0, Z[:, 1], Z[:, 2]),
            torch.where((Z > 0).all(1), 1.0, -1.0),
            torch.where((Z > 0).sum(1) == 1, 1.0, -1.0),
        ]
    ).double()
    majority, choose, everything, one = walsh_coefficients(F)
    first = degree_one(walsh_coefficients(F))
    return (
        bool((first[0] == 0.5).all())
        and float(majority[-1]) == -0.5
        and float(majority[0]) == float(choose[0]) == float(choose[-1]) == 0
        and int(everything.abs().argmax()) == 0
        and int(one.abs().argmax()) == 7
        and int((choose != 0).sum()) == 4
        and bool((everything != 0).all())
        and bool((one != 0).all())
    )


def flat_laws() -> bool:
    def spectrum(law: str) -> torch.Tensor:
        return ((characters(3) @ limit_kernel(3, law)) * characters(3)).sum(1) / 64

    uniform, balanced, parity, junta, threshold = map(spectrum, ("uniform", "balanced", "parity", "junta", "threshold"))
    size = torch.tensor([bin(subset).count("1") for subset in range(8)])
    of_degree = [[float(law[size == k].mean()) for k in (1, 2, 3)] for law in (junta, threshold)]
    same = all(float(law[size == 1].std()) < 1e-6 for law in (uniform, balanced, parity, junta, threshold))
    return (
        torch.allclose(uniform, torch.full((8,), 1 / 8).double())
        and torch.allclose(balanced, parity)
        and float(balanced[size > 0].std()) < 1e-9
        and abs(float(balanced[size == 0])) < 1e-9
        and same
        and all(law[0] > max(law[1:]) for law in of_degree)
    )


def amplified() -> bool:
    W = torch.randn(128, 64, generator=streams(0, "amplified")["amplified"], dtype=torch.float64)
    M, all_three, one = torch.eye(64, 3).double(), W.clone(), W.clone()
    all_three[:, :3] *= 1000
    one[:, :1] *= 1000
    angle = [float(principal_angles(w, M)[-1].sin()) for w in (all_three, one)]
    return (
        min(energy_ratio(all_three, M), energy_ratio(one, M)) > 10 * energy_ratio(W, M)
        and abs(conditioning(all_three, M) - conditioning(W, M)) < 1e-9
        and conditioning(one, M) < 0.01
        and angle[0] < 0.1 < 0.8 < angle[1]
    )


def random_heads() -> bool:
    kinds = {what: [quoted(f"loss-balanced-{heads}-{what}") for heads in ("adapted", "random")] for what in WHAT}
    apart = all(kinds[what][0] > 0.9 > 0.1 > kinds[what][1] for what in ("cosine", "size"))
    return apart and all(abs(kinds[what][0] - kinds[what][1]) < 0.1 for what in ("energy", "conditioning"))


WHAT = ("cosine", "size", "energy", "conditioning")


def rise_together() -> bool:
    steps = (10, 100, 1000, 10000)
    curves = [[quoted(f"training-after-{law}-{step}") for step in steps] for law in ("balanced", "uniform")]
    near = all(abs(one - other) < 0.1 for one, other in zip(*curves, strict=True))
    return near and all(curve == sorted(curve) and curve[0] < 0.01 and curve[1] < 0.5 < curve[2] for curve in curves)


def sampled_evenness() -> bool:
    middle = runs("phase", d=64, batch_size=4096).set_index(["law", "tasks"]).conditioning_50.unstack("law")
    uneven = (middle.balanced - middle.uniform).abs()
    return middle.balanced[1] < 0.1 and middle.balanced[256] > 0.7 and uneven[256] < 0.1 < uneven[64]


def lopsided() -> bool:
    table = runs("long", representation_step=3.2)
    one, many = (table[table.tasks == T].groupby("rounds").conditioning for T in (1, 64))
    wide, narrow = (float(c.quantile(0.9)[400] - c.quantile(0.1)[400]) for c in (one, many))
    first = one.median()
    falls = first[100] < 0.3 < first[20] and first[400] < 0.7
    return falls and wide > 0.5 > 0.2 > narrow and float(many.median()[400]) > 0.9


def fixed_steps() -> bool:
    groups = runs("recovery").groupby(["d", "tasks"])
    energy, even = groups.energy.median().unstack(), groups.conditioning.median().unstack()
    spread = (groups.conditioning.quantile(0.9) - groups.conditioning.quantile(0.1)).unstack()
    return (
        bool((energy[256] - energy[1]).between(0, 0.15).all())
        and bool((energy.loc[24] - energy.loc[192]).between(0.05, 0.15).all())
        and all(map(rises, even.values))
        and even[1].max() < 0.4 < 0.85 < even[64].min()
        and float(even[64].max() - even[64].min()) < 0.05
        and bool((spread[64] < 0.3 * spread[1]).all())
    )


def deeper_and_later() -> bool:
    middle = runs("dimensions").groupby(["d", "rounds"]).median()
    even, energy = middle.conditioning.unstack(), middle.energy.unstack()
    lowest, half = even.min(axis=1), (energy > 0.5).idxmax(axis=1)
    return (
        lowest[384] < lowest[48] < lowest[12] < 0.5 < even[60].min()
        and rises(-lowest, 0.02)
        and rises(half, 0.5)
        and energy[60].min() > 0.95
        and bool((even.idxmin(axis=1) < 60).all())
    )


def constants_lead() -> bool:
    steps, F, _ = steps_of_all(3)
    constant = F.sum(1).abs() == 8
    return float(steps.conditioning[constant].min()) >= float(steps.conditioning.max()) - 1e-9


def best_of_four() -> bool:
    steps, F, first = steps_of_all(4)
    best = int(torch.where(first > 0, steps.conditioning, 0).argmax())
    return float(F[best].sum().abs()) == 14 and float(first[best]) < 0.5 * float(first.max())


def no_linear_part_above() -> bool:
    return all(not bool(((steps.conditioning > 0.3) & (f1 > 0)).any()) for steps, _, f1 in map(steps_of_all, (3, 4)))


def on_random_tasks() -> bool:
    middle = runs("transfer_curves").groupby(["neurons", "examples"]).median().filter(regex="^random_")
    middle.columns = [name.removeprefix("random_") for name in middle.columns]
    few, more = middle.loc[(256, 32)], middle.loc[(256, 512)]
    somewhere = bool((middle.loc[(256, 2048)] > 0.6).all())
    ahead = more.linear_layer > more.random_features and few.linear_layer > few.single_task
    change = middle.linear_layer.loc[16:]
    return somewhere and ahead and float(change.max() - change.min()) < 0.05


def doublings() -> bool:
    balanced, uniform = (quoted(f"many-exponent-{law}-d") for law in ("balanced", "uniform"))
    return abs(balanced - 1) < 0.1 and abs(uniform - 2) < 0.1


def probes() -> bool:
    sizes, scores, shifts = ("16", "256"), ("vacuity", "entropy", "distance"), ("outside", "inside", "held out")
    found = {
        (score, shift, d): quoted(f"frozen-probe-pret-{d}-{score[:3]}-{shift[:3]}")
        for score in scores
        for shift in shifts
        for d in sizes
    }
    return all(
        max(abs(found[score, "outside", d] - 0.5) for score in scores) < 0.06
        and abs(found["distance", "inside", d] - quoted("frozen-ceiling")) < 0.05
        and found["vacuity", "inside", d] < 0.1
        and found["distance", "held out", d] > 0.7 > 0.6 > max(found[s, "held out", d] for s in scores[:2])
        for d in sizes
    )


def four_carry() -> bool:
    F = sample_tasks(4000, 4, law="balanced", generator=streams(0, "four")["four"])
    first = degree_one(walsh_coefficients(F)).view(1000, 4, 4)
    return float((torch.linalg.matrix_rank(first) == 4).double().mean()) > 0.5


def kernel_of_labels() -> bool:
    F = all_tasks(2)[:5]
    same = (F[:, :, None] == F[:, None, :]).double().mean(0)
    return torch.allclose(task_kernel(F), same - (1 - same))


def limits() -> bool:
    off = [limit_kernel(2, law)[~torch.eye(4).bool()] for law in ("uniform", "balanced")]
    return all(
        torch.allclose(values, torch.full((12,), x).double()) for values, x in zip(off, (0, -1 / 3), strict=True)
    )


def measures() -> bool:
    W, M = torch.randn(9, 5, generator=streams(0, "W")["W"], dtype=torch.float64), torch.eye(5, 2).double()
    values = torch.linalg.svdvals(W @ M)
    angles = principal_angles(W, M)
    return (
        abs(energy_ratio(W, M) - float((W @ M).square().sum() / W.square().sum())) < 1e-12
        and abs(conditioning(W, M) - float(values[-1] / values[0])) < 1e-12
        and rises(angles)
    )


def rests(basis: str) -> bool:
    """Whether what a sentence rests on is there, and so."""
    if basis in ("", "seen") or set(basis.split()) <= IDS:
        return True
    return bool(LOOKS[basis]() if basis in LOOKS else eval(basis, globals()))


@pytest.mark.parametrize("name", sorted({*texts(), *SAID}))
def test_sentences_that_compare_stand_in_the_table_and_are_so(name: str) -> None:
    rows = SAID.get(name, [])
    assert [words for words, _ in rows] == [*texts().get(name, ())], "look at what changed, then write it in said.toml"
    assert [words for words, basis in rows if not rests(basis)] == []


def test_a_sentence_is_found_and_its_fact_is_looked_at() -> None:
    assert [*sentences("It is so. Energy rises. (In all fewer do.) Two.")] == ["Energy rises.", "(In all fewer do.)"]
    right = "climbing('loss-explained-before', 'loss-explained-after')"
    assert rests(right)
    assert not rests(right.replace("before", "last").replace("after", "before").replace("last", "after"))
    with pytest.raises(NameError):
        rests("no-such-claim")


# Quoted numbers: the verb between two, and the place in a table

MOVES = re.compile(
    rf"\b(?:(ris|rais|gr[eo]w|climb|lift|com\w* back|improv|up\b)|(fall|fell|drop|shrink|sink|sank|lower|down\b))"
    rf"[^.;{{}}]{{0,60}} from {KEY}[^.;{{}}]{{0,30}} to {KEY}"
)


def against_the_verb(words: str) -> list[str]:
    """The moves from one quoted number to another that go the other way, or nowhere."""
    found = ((up, quoted(start), quoted(end), start) for up, _, start, end in MOVES.findall(" ".join(words.split())))
    return [start for up, before, after, start in found if not (before < after if up else before > after)]


def parts_of(key: str) -> Counter[str]:
    return Counter(key.split("-")[1:])


def names(part: str, label: str) -> bool:
    """Whether a label speaks of a part of a key."""
    words = re.findall(r"[a-z0-9.]+", label.lower())
    return any(word == part or (len(part) > 2 and word.startswith(part[:3])) for word in words)


def misplaced(words: str) -> Iterator[str]:
    """Labels of tables that name the keys of another row or column, and columns that are not one step in each row."""
    for table in re.findall(r"(?:^\|.*\n?){3,}", words, re.MULTILINE):
        head, _, *rows = [[part.strip() for part in line.strip()[1:-1].split("|")] for line in table.splitlines()]
        keys = [[re.findall(KEY, part)[:1] for part in row] for row in rows]
        columns = [c for c in range(len(head)) if all(len(row) > c and row[c] for row in keys)]
        labels = [" ".join(part for part in row if "{glue:text}" not in part) for row in rows]
        lines = [[(label, [key for part in row for key in part]) for label, row in zip(labels, keys, strict=True)]]
        lines += [[(head[c], [row[c][0] for row in keys]) for c in columns]]
        whole = [label for label, row in zip(labels, keys, strict=True) if not row[0]]
        yield from (f"{label}: twice" for label, count in Counter(whole).items() if count > 1)
        for kind in lines:
            own = [(label, set.intersection(*(set(parts_of(key)) for key in line or [""]))) for label, line in kind]
            for (label, one), (other, another) in itertools.permutations(own, 2):
                yield from (f"{label}: {p}" for p in one - another if names(p, other) and not names(p, label))
        for a, b in itertools.combinations(columns, 2):
            steps = {str(sorted((parts_of(row[b][0]) - parts_of(row[a][0])).items())) for row in keys}
            yield from (f"{head[b]}: {step}" for step in sorted(steps)[1:])


MEASURES = {"energ": "energy", "condi": "conditioning", "accur": "accuracy"}
SAID_BEFORE = {
    "setup-round-energy", "transfer-energy-pretrained", "beyond-methods-patterns-energy-8", "intro-energy-start",
    "beyond-methods-heads-energy-32", "beyond-methods-heads-conditioning-32", "beyond-methods-centred-energy-32",
    "near-budget-65536-energy", "intro-energy-sign", *(f"many-layer-conditioning-{d}" for d in (64, 512, 4096)),
}  # fmt: skip
"""Quoted energies, conditionings and accuracies whose name stands further back."""


def misnamed(words: str) -> Iterator[str]:
    """Outside of tables, the quoted measures before which another measure is named last."""
    words = " ".join(re.sub(r"^\|.*$", "", words, flags=re.MULTILINE).split())
    for found in re.finditer(KEY, words):
        before = re.sub(KEY, "", words[max(0, found.start() - 160) : found.start()])
        own = [measure for measure in MEASURES.values() if measure in found[1].split("-")]
        named = re.findall(r"\b(energ|condi|accur)(?:y|ies|tioning|acy|acies)\b", before)
        if len(own) == 1 and named and own[0] != MEASURES[named[-1]]:
            yield found[1]


@pytest.mark.parametrize("page", WORDS)
def test_quoted_numbers_move_as_the_verb_says_and_stand_in_their_row_and_column(page: str) -> None:
    assert against_the_verb(WORDS[page]) == []
    assert list(misplaced(WORDS[page])) == []


def test_quoted_measures_stand_after_their_names() -> None:
    assert {key for words in WORDS.values() for key in misnamed(words)} == SAID_BEFORE
    right = "energy {glue:text}`a-energy` and conditioning {glue:text}`a-conditioning`"
    assert list(misnamed(right)) == []
    assert list(misnamed(right.replace("a-energy", "a-conditioning"))) == ["a-conditioning"]


UNIT = re.compile(
    rf"{KEY},? ?(%|per cent|MB|GB|ms|milliseconds|seconds|thousand|million|billion|standard errors|degrees)"
)
UNITS = {
    "%": ["one-1", "one-16", "one-128", "shared-16-100", "shared-1-100", "classes-100", "contrastive-100", "rbf-500",
          "mnist-rbf-500", "shared-16-500", "mnist-shared-16-500", "random-100", "look-up-30"],
    "per cent": ["gain-digits-16-1-pm", "unseen-tasks-pm-15", "unseen-mnist-tasks-pm-15"],
    "thousand": ["bound-bites", "recovery-pure", "half-1", "half-4", "flop-L"],
    "billion": ["tasks-five"], "MB": ["memory", "memory-autograd"], "degrees": ["angle"],
    "standard errors": ["mc-worst"],
}  # fmt: skip
"""Unit -> what is quoted in it: who changes a unit looks at the cell that quotes."""


def test_quoted_numbers_keep_their_units() -> None:
    found = {(key.partition("-")[2], unit) for words in WORDS.values() for key, unit in UNIT.findall(words)}
    assert found == {(key, unit) for unit, keys in UNITS.items() for key in keys}


def test_a_planted_move_and_a_planted_place_are_found() -> None:
    right = "it rises from {glue:text}`loss-explained-before` to {glue:text}`loss-explained-after`"
    assert against_the_verb(right) == []
    assert against_the_verb(right.replace("rises", "falls")) == ["loss-explained-before"]
    table = WORDS["03_multitask_training"]
    swaps = [
        ("variant-logistic-energy", "variant-logistic-conditioning"),
        ("| uniform | inside", "| uniform | outside"),
        ("long-64-3.2-accuracy", "long-1-3.2-accuracy"),
        ("| energy | conditioning | accuracy |", "| conditioning | energy | accuracy |"),
        ("| uniform | inside | $2", "| uniform | outside | $2"),
    ]
    for one, other in swaps:
        assert one in table
        swapped = table.replace(one, "@@").replace(other, one).replace("@@", other)
        assert list(misplaced(swapped)), (one, other)


def written(text: str) -> str:
    """A string of TOML."""
    return json.dumps(text, ensure_ascii=False) if "'" in text else f"'{text}'"


if __name__ == "__main__":
    bases = {(name, words): basis for name, rows in SAID.items() for words, basis in rows}
    print(Path(__file__).with_name("said.toml").read_text("utf8").partition("\n\n")[0])
    for name, said in texts().items():
        rows = (f"    [{written(words)}, {written(bases.get((name, words), ''))}]," for words in said)
        print(f"\n{name if re.fullmatch('[A-Za-z0-9_-]+', name) else written(name)} = [", *rows, "]", sep="\n")
