"""Prompts, attacks, probes, supports and flipped labels on frozen layers: against counting, search and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import f as fisher
from sentences import refuses
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.testing import assert_close

from mtfl.inputs import GaussianInputs
from mtfl.neighbours import evidence, overfitting, prompts, robustness, support
from mtfl.neighbours.evidence import ProbeSettings, probe_run
from mtfl.neighbours.overfitting import FlipSettings, flip_run
from mtfl.neighbours.prompts import PromptSettings, prompt_run
from mtfl.neighbours.robustness import AttackSettings, Head, attack_run
from mtfl.randomness import streams
from mtfl.tasks import all_tasks, characters, limit_kernel, pattern_signs, sample_tasks, task_kernel
from mtfl.transfer import FrozenFeatures, TransferSettings, representations

MAJORITY = pattern_signs(3).sum(1).sign()


def generator(seed: int = 0) -> torch.Generator:
    return streams(seed, "frozen")["frozen"]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


# Prompts


def test_ridge_answers_are_those_of_scikit_learn_and_attention_is_a_mean() -> None:
    keys, queries, y = normal(12, 5), normal(4, 5, seed=1), normal(12, seed=2).sign()
    across, within = queries @ keys.T, keys @ keys.T
    alpha = 0.3 * float(keys.square().sum(1).mean())
    model = Ridge(alpha=alpha, fit_intercept=False).fit(keys.numpy(), y.numpy())
    expected = torch.from_numpy(model.predict(queries.numpy()))
    assert_close(prompts.ridge_answers(across, within, y, 0.3), expected)
    expected = torch.stack([torch.stack([y[i] * (keys[i] @ q) for i in range(12)]).mean() for q in queries])
    assert_close(prompts.attention_answers(across, within, y, 7.0), expected)


def test_attention_on_bare_inputs_needs_as_many_examples_as_the_law_says() -> None:
    X = normal(300, 400, 41)
    a = (X[:, :, :1].sign() * X).mean(1)
    simulated = float((torch.atan2(a[:, 1:].norm(dim=1), a[:, 0]) / math.pi).mean())
    assert prompts.raw_attention_error(41, 400) == pytest.approx(simulated, rel=0.02)
    assert prompts.raw_context(41, prompts.raw_attention_error(41, 400)) == pytest.approx(400)
    assert prompts.raw_attention_error(1, 5) == 0


def test_prompts_are_read_as_one_reads_them_by_hand() -> None:
    """From the same streams, by scikit-learn, with the penalty that is best on the tuning prompts."""
    settings, seed = PromptSettings(d=8, neurons=20, batch_size=500), 3
    inputs = GaussianInputs.random(8, 3, generator=streams(seed, "subspace")["subspace"], dtype=torch.float32)
    how = TransferSettings(8, 3, 20, 1024, batch_size=500)
    layer = representations(how, inputs, seed=seed, names=["pretrained"])["pretrained"]
    centre = layer(inputs.sample(4096, generator=streams(seed, "unlabelled")["unlabelled"])).double().mean(0)
    expected = []
    for length in (8, 16, 32, 64, 128, 256):
        random = streams(seed, f"prompts of {length}")[f"prompts of {length}"]
        wrong = np.zeros((22, 5))
        for row in wrong:
            f = sample_tasks(1, 3, law="balanced", generator=random)[0]
            X, Q = inputs.sample(length, generator=random), inputs.sample(256, generator=random)
            keys, queries = ((layer(Z).double() - centre).numpy() for Z in (X, Q))
            y, right = f[inputs.patterns(X)].numpy(), f[inputs.patterns(Q)].numpy()
            for k, share in enumerate((1e-3, 1e-2, 0.1, 0.3, 1.0)):
                penalty = share * (keys**2).sum(1).mean()
                model = Ridge(alpha=penalty, fit_intercept=False, solver="cholesky").fit(keys, y)
                row[k] = np.mean(model.predict(queries) * right <= 0)
        expected.append(wrong[6:, wrong[:6].mean(0).argmin()].mean())
    assert prompt_run(settings, seed) == pytest.approx(tuple(expected), abs=1e-3)


def test_preconditioned_keys_are_white() -> None:
    inputs = GaussianInputs.random(6, 3, generator=generator(), dtype=torch.float32)
    settings = PromptSettings(d=6, source="inputs", reader="preconditioned")
    kernel = prompts._kernels(settings, inputs, 0)[0]  # the least ridge
    X = inputs.sample(20_000, generator=generator(1)) * 1.0
    squares = kernel(X[:2000], X[:2000]).diagonal()
    assert float(squares.mean()) == pytest.approx(6, rel=0.05)  # white: as many as dimensions
    settings = PromptSettings(d=6, neurons=9, source="random features", reader="preconditioned")
    how = TransferSettings(6, 3, 9, 1024)
    H = representations(how, inputs, seed=0, names=["random features"])["random features"](X).double()
    sizes = torch.linalg.eigvalsh(torch.cov(H.T))
    for kernel, ridge in zip(prompts._kernels(settings, inputs, 0), (1e-3, 1e-2, 0.1, 1.0), strict=True):
        squares = torch.cat([kernel(part, part).diagonal() for part in X.split(1000)])
        expected = float((sizes / (sizes + ridge * sizes.mean())).sum())
        assert float(squares.mean()) == pytest.approx(expected, rel=0.03)
    kernel = prompts._kernels(PromptSettings(d=6, source="Gaussian kernel"), inputs, 0)[1]  # half of d
    assert_close(kernel(X[:1], X[1:2])[0, 0], torch.exp(-(X[0] - X[1]).double().square().sum() / 6))


# Robustness


def robust_by_search(f: Tensor, h: Tensor, radius: float) -> float:
    """Whether any point of a dense net of the ball has another label; two features."""
    angles = torch.linspace(0, 2 * math.pi, 2881, dtype=torch.float64)[:-1]
    ring = torch.stack([angles.cos(), angles.sin()], 1)
    net = torch.cat([ring * radius * size for size in torch.linspace(0, 1, 40, dtype=torch.float64)])
    bits = torch.tensor([1, 2])
    kept = [bool((f[((x + net) > 0).long() @ bits] == f[(x > 0).long() @ bits]).all()) for x in h]
    return float(np.mean(kept))


@pytest.mark.parametrize("radius", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("number", [1, 6, 7, 15])
def test_a_rule_is_as_robust_as_a_search_finds(radius: float, number: int) -> None:
    f, h = all_tasks(2)[number], normal(80, 2)
    assert robustness.rule_robust_accuracy(f, h, radius) == pytest.approx(robust_by_search(f, h, radius), abs=0.0126)


def test_a_border_is_crossed_only_beyond_it() -> None:
    h = torch.tensor([[0.5, -2.0], [-0.5, 2.0]], dtype=torch.float64)
    one = characters(2)[1]
    assert [robustness.rule_robust_accuracy(one, h, e) for e in (0.4, 0.5, 0.6)] == [1, 0, 0]
    assert robustness.rule_robust_accuracy(torch.ones(4).double(), h, 100.0) == 1


def test_total_influence_counts_signs_that_decide() -> None:
    F = all_tasks(3)
    z = torch.arange(8)
    counted = sum((F[:, z ^ (1 << i)] != F).double().mean(1) for i in range(3))
    assert_close(robustness.total_influence(F), torch.as_tensor(counted))


def test_the_bound_of_flips_is_a_mean_over_patterns() -> None:
    chance = math.erfc(0.4 / math.sqrt(2))
    assert robustness.flip_bound(MAJORITY, 0.4) == pytest.approx(0.25 + 0.75 * chance**2)
    assert robustness.flip_bound(characters(3)[7], 0.4) == pytest.approx(chance**3)
    h = normal(100_000, 3)
    for f in (MAJORITY, characters(3)[3]):
        found = robustness.rule_robust_accuracy(f, h, 0.2)
        assert found <= robustness.flip_bound(f, 0.2) + 0.005
    assert found == pytest.approx(robustness.flip_bound(f, 0.2), abs=0.006)


def small_problem(m: int = 6) -> tuple[FrozenFeatures, Tensor, Tensor]:
    X = normal(40, 4)
    return FrozenFeatures(normal(m, 4, seed=1), normal(m, seed=2)), X, torch.sign(X[:, 0] + 0.3 * X[:, 1] ** 2 - 0.2)


@pytest.mark.parametrize("radius", [0.0, 0.4])
def test_a_robust_head_minimises_its_loss(radius: float) -> None:
    features, X, y = small_problem()

    def loss(head: np.ndarray) -> float:
        a, c, total = torch.from_numpy(head[:-1]), float(head[-1]), 0.0
        for x, label in zip(X, y, strict=True):
            x = x.clone().requires_grad_()
            score = torch.relu(features.W @ x + features.b) @ a + c
            slope = float(torch.autograd.grad(score, x)[0].norm())
            total += math.log1p(math.exp(-4 * (float(label * score.detach()) - radius * slope))) / len(X)
        return total + 0.01 * float(a @ a)

    head = robustness.robust_head(features, X, y, radius=radius, penalty=0.01)
    found = np.append(head.a.numpy(), float(head.c))
    least = minimize(loss, found, method="Powell", options={"maxiter": 3, "ftol": 1e-7}).fun
    assert loss(found) == pytest.approx(least, abs=1e-4)


def test_slopes_are_gradients() -> None:
    features, X, _ = small_problem()
    head = Head(features, normal(6, seed=3), torch.tensor(0.2).double())
    X.requires_grad_()
    (expected,) = torch.autograd.grad(head.scores(X).sum(), X)
    assert_close(head.slopes(X.detach()), expected)


def test_attacks_find_nearly_what_a_net_finds() -> None:
    features, X, y = small_problem(m=12)
    head = Head(features, normal(12, seed=3), torch.tensor(0.2).double())
    found = robustness.attacked_margins(head, X, y, 0.5)
    net = normal(4000, 4, seed=5)
    net = 0.5 * net / net.norm(dim=1, keepdim=True)
    searched = torch.stack([y * head.scores(X + move) for move in torch.cat([net, net[:1000] / 2])]).amin(0)
    clean = y * head.scores(X)
    assert bool((found <= clean).all())
    assert float(((clean - found) / (clean - searched)).median()) > 0.95
    assert float((found - searched).max()) < 0.5 * float((clean - searched).max())
    linear = Head(
        FrozenFeatures(torch.ones(1, 4).double(), torch.full((1,), 50.0).double()), torch.ones(1).double(), head.c
    )
    worst = linear.scores(X) - 0.5 * 2  # a gradient of length 2 everywhere
    assert_close(robustness.attacked_margins(linear, X, torch.ones(40).double(), 0.5), worst)
    assert_close(robustness.attacked_margins(linear, X, torch.ones(40).double(), 0.0), linear.scores(X))


def test_an_attack_takes_ten_steps_of_a_quarter_of_the_radius() -> None:
    features, X, y = small_problem()
    head, radius = Head(features, normal(6, seed=3), torch.tensor(0.2).double()), 0.7
    found = robustness.attacked_margins(head, X, y, radius)
    for x, label, margin in zip(X, y, found, strict=True):
        move, least = torch.zeros(4).double(), float(label * head.scores(x[None]))
        for _ in range(10):
            at = (x + move).requires_grad_()
            (slope,) = torch.autograd.grad(label * head.scores(at[None])[0], at)
            if slope.any():
                move = move - radius / 4 * slope / slope.norm()
            move = move * min(1.0, radius / max(float(move.norm()), 1e-300))
            least = min(least, float(label * head.scores((x + move)[None])))
        assert float(margin) == pytest.approx(least, rel=1e-6, abs=1e-9)


def test_attacked_heads_are_chosen_as_one_chooses_them_by_hand() -> None:
    """From the same streams: the penalty with the best accuracy under the attack that the head expects."""
    settings = AttackSettings(d=6, layer="oracle subspace", radius=0.2, neurons=10, examples=60, batch_size=50)
    random = streams(2, "subspace", "attacked inputs")
    inputs = GaussianInputs.random(6, 3, generator=random["subspace"], dtype=torch.float32)
    made = representations(TransferSettings(6, 3, 10, batch_size=50), inputs, seed=2, names=["oracle subspace"])
    layer = FrozenFeatures(made["oracle subspace"].W.double(), made["oracle subspace"].b.double())
    parts: list[tuple[Tensor, Tensor]] = []
    for count in (60, 400, 800):
        X = inputs.sample(count, generator=random["attacked inputs"])
        parts.append((X.double(), (X @ inputs.M).sign().sum(1).sign().double()))
    heads = [robustness.robust_head(layer, *parts[0], radius=0.2, penalty=share) for share in (3e-4, 1e-3, 1e-2)]

    def kept(head: Head, part: int, radius: float) -> float:
        return float((robustness.attacked_margins(head, *parts[part], radius) > 0).double().mean())

    best = max(heads, key=lambda head: kept(head, 1, 0.2))
    assert len({kept(head, 1, 0.2) for head in heads}) > 1
    assert attack_run(settings, 2) == tuple(kept(best, 2, radius) for radius in (0.0, 0.1, 0.2, 0.3, 0.5, 0.8))


def test_heads_that_expect_an_adversary_keep_more() -> None:
    options = {"d": 6, "layer": "oracle subspace", "neurons": 24, "examples": 400, "batch_size": 50}
    clean, robust = (attack_run(AttackSettings(radius=radius, **options), 0) for radius in (0.0, 0.5))  # type: ignore[arg-type]
    assert clean[0] > robust[0] - 0.01
    assert robust[4] > clean[4]
    for found in (clean, robust):
        assert all(a >= b for a, b in itertools.pairwise(found))


# Evidence


@pytest.mark.parametrize(("r", "scale"), [(1, 1.0), (2, 3.0), (3, 1.5), (10, 1.1)])
def test_the_ceiling_is_fishers_law(r: int, scale: float) -> None:
    assert evidence.scaling_ceiling(r, scale) == pytest.approx(fisher.sf(scale**-2, r, r))


def test_area_under_the_curve_counts_pairs() -> None:
    usual, odd = normal(30).round(decimals=1), (normal(20, seed=1) + 0.5).round(decimals=1)
    counted = np.mean([(a < b) + 0.5 * (a == b) for a, b in itertools.product(usual.tolist(), odd.tolist())])
    found = evidence.area_under_curve(usual, odd)
    assert found == pytest.approx(counted)
    assert found == pytest.approx(roc_auc_score(np.r_[np.zeros(30), np.ones(20)], torch.cat([usual, odd]).numpy()))


def test_the_evidential_loss_is_a_mean_over_dirichlet_laws() -> None:
    alpha, y = normal(3, 4).exp() + 1, torch.tensor([0, 2, 3])
    expected = 0.0
    for row, label in zip(alpha, y.tolist(), strict=True):
        law = torch.distributions.Dirichlet(row)
        torch.manual_seed(0)
        draws = law.sample(torch.Size([200_000]))
        wrong = row.clone()
        wrong[label] = 1
        pull = torch.distributions.kl_divergence(
            torch.distributions.Dirichlet(wrong), torch.distributions.Dirichlet(torch.ones(4).double())
        )
        expected += float(-draws[:, label].log().mean() + 0.3 * pull) / 3
    assert float(evidence.evidential_loss(alpha, y, 0.3)) == pytest.approx(expected, rel=0.01)


def test_a_softmax_probe_is_that_of_scikit_learn() -> None:
    H, y = normal(200, 5), (normal(200, 5)[:, :2] @ torch.tensor([[2.0, 0, -1], [0, 1, 1]]).double()).argmax(1)
    tuning = H[150:], y[150:]
    probe = evidence.softmax_probe(H[:150], y[:150], tuning, 3)
    found, expected = [], []
    for penalty in (1e-3, 1e-2):
        model = LogisticRegression(C=1 / (2 * 150 * penalty), max_iter=5000, tol=1e-8).fit(
            H[:150].numpy(), y[:150].numpy()
        )
        expected.append(torch.from_numpy(model.predict_proba(H.numpy())))
        found.append(float(-expected[-1][150:].log().gather(1, y[150:, None]).mean()))
    assert_close(probe(H), expected[int(np.argmin(found))], rtol=1e-2, atol=1e-3)


def test_an_evidential_probe_learns_classes_and_is_sure_of_them() -> None:
    means = 4 * torch.eye(3, 5).double()
    y = torch.arange(300) % 3
    H = means[y] + normal(300, 5)
    probe = evidence.evidential_probe(H[:200], y[:200], (H[200:], y[200:]), 3)
    alpha = probe(H)
    assert float((alpha.argmax(1) == y).double().mean()) > 0.97
    assert bool((alpha >= 1).all())
    flat = torch.zeros(3, 3).double() + 2
    assert float(evidence.evidential_loss(alpha[:3], y[:3], 0.0)) < float(evidence.evidential_loss(flat, y[:3], 0.0))


def test_an_evidential_probe_is_the_best_of_two_rates_and_three_numbers_of_steps() -> None:
    """Trained again by Adam, on another probe's classes, so that a short training is best for one rate."""
    y, H = torch.arange(90) % 3, normal(90, 4)
    H[:, :2] += torch.stack([(y == 0), (y == 1)], 1)
    found, heads = [], []
    for rate in (0.03, 0.1):
        head = torch.zeros(5, 3).double().requires_grad_()
        rule = torch.optim.Adam([head], lr=rate)
        for step in range(80):
            rule.zero_grad()
            alpha = 1 + torch.nn.functional.softplus(H[:60] @ head[:4] + head[4])
            (evidence.evidential_loss(alpha, y[:60], 0.02) + 1e-3 * head[:4].square().sum()).backward()
            rule.step()
            if step + 1 in (20, 40, 80):
                heads.append(head.detach().clone())
                alpha = 1 + torch.nn.functional.softplus(H[60:] @ heads[-1][:4] + heads[-1][4])
                found.append(float(evidence.evidential_loss(alpha, y[60:], 0.0)))
    best = heads[int(np.argmin(found))]
    probe = evidence.evidential_probe(H[:60], y[:60], (H[60:], y[60:]), 3)
    assert_close(probe(H), 1 + torch.nn.functional.softplus(H @ best[:4] + best[4]))


def test_class_distances_by_hand() -> None:
    H, y = normal(60, 3), torch.arange(60) % 2
    score = evidence.class_distance(H, y, 2, 3)
    means = [H[y == c].mean(0) for c in range(2)]
    inverse = torch.linalg.inv(sum((H[y == c] - means[c]).T @ (H[y == c] - means[c]) for c in range(2)) / 60)
    Z = normal(5, 3, seed=1)
    expected = [min(float((z - mean) @ inverse @ (z - mean)) for mean in means) for z in Z]
    assert_close(score(Z), torch.tensor(expected).double(), rtol=1e-5, atol=1e-6)
    flat = evidence.class_distance(
        torch.cat([H, torch.zeros(60, 2).double()], 1), y, 2, 3
    )  # two directions without any
    assert_close(flat(torch.cat([Z, normal(5, 2, seed=2)], 1)), score(Z), rtol=1e-5, atol=1e-6)


def test_one_hop_keeps_the_law_outside_and_brings_patterns_together() -> None:
    inputs = GaussianInputs.random(6, 3, generator=generator())
    X = inputs.sample(1500, generator=generator(1))
    patterns = inputs.patterns(X)
    hopped = evidence.one_hop(X, patterns, degree=8.0, generator=generator(2))
    outside = torch.eye(6).double() - inputs.M @ inputs.M.T
    assert float((hopped @ outside).square().sum(1).mean()) == pytest.approx(3, rel=0.05)
    signs = inputs.M.T @ hopped.T * pattern_signs(3)[patterns].T
    assert float(signs.mean()) > 1.5 * float((inputs.M.T @ X.T * pattern_signs(3)[patterns].T).mean())
    alone = evidence.one_hop(X, patterns, degree=0.0, generator=generator(2))
    assert_close(alone, X)


def test_edges_join_nine_times_of_ten_within_a_community() -> None:
    """Read off what nodes with features of their own become."""
    n, patterns = 1200, torch.arange(1200) % 8
    hopped = evidence.one_hop(torch.eye(n).double(), patterns, degree=8.0, generator=generator())
    A = hopped / hopped.diagonal()[:, None] - torch.eye(n)
    assert_close(A, A.round(), rtol=0, atol=1e-9)
    assert_close(A, A.T)
    assert_close(hopped.diagonal(), (1 + A.sum(1)) ** -0.5)
    same = patterns[:, None] == patterns
    for kind, mean in ((same, 7.2 * 149 / 150), (~same, 0.8)):
        edges = float((A * kind).sum() / 2)
        assert abs(edges - n * mean / 2) < 5 * math.sqrt(n * mean / 2)
    full = evidence.one_hop(torch.eye(n).double(), patterns, degree=1e9, generator=generator())
    assert_close(full, torch.full((n, n), n**-0.5, dtype=torch.float64))
    one = evidence.one_hop(torch.eye(5).double(), torch.zeros(5).long(), degree=1e9, generator=generator())
    assert_close(one, torch.full((5, 5), 5**-0.5, dtype=torch.float64))


@pytest.mark.parametrize(("hop", "seed"), [(False, 4), (True, 4), (False, 5), (False, 6)])
def test_probes_are_run_as_one_runs_them_by_hand(hop: bool, seed: int) -> None:
    """From the same streams, with lists in place of masks."""
    name = "random features"
    found = probe_run(ProbeSettings(d=5, layer=name, hop=hop, neurons=12, examples=200, batch_size=50), seed)
    random = streams(seed, "subspace", "nodes", "edges", "held out")
    inputs = GaussianInputs.random(5, 3, generator=random["subspace"], dtype=torch.float32)
    layer = representations(TransferSettings(5, 3, 12, batch_size=50), inputs, seed=seed, names=[name])[name]
    held, X = int(torch.randint(8, (), generator=random["held out"])), inputs.sample(400, generator=random["nodes"])
    patterns = inputs.patterns(X)
    if hop:
        X = evidence.one_hop(X, patterns, degree=8.0, generator=random["edges"])
    others = [z for z in range(8) if z != held]
    fit, tuning, test = ([k for k in part if int(patterns[k]) != held] for part in
                         (range(160), range(160, 200), range(200, 400)))  # fmt: skip
    y = torch.tensor([others.index(int(z)) if int(z) != held else -1 for z in patterns])
    size = layer(X[fit]).std().double()

    def features(Z: Tensor) -> Tensor:
        return layer(Z).double() / size

    parts = features(X[fit]), y[fit], (features(X[tuning]), y[tuning]), 7
    evidential, softmax = evidence.evidential_probe(*parts), evidence.softmax_probe(*parts)
    distance = evidence.class_distance(*parts[:2], 7, 3)
    scores = [
        lambda H: 7 / evidential(H).sum(1),
        lambda H: torch.distributions.Categorical(softmax(H)).entropy(),
        distance,
    ]
    inside = X[test] @ inputs.M @ inputs.M.T
    shifts = [X[test] + 2 * (X[test] - inside), X[test] + 2 * inside,
              X[[k for k in range(200, 400) if int(patterns[k]) == held]]]  # fmt: skip
    areas = [
        evidence.area_under_curve(score(features(X[test])), score(features(Z))) for score in scores for Z in shifts
    ]
    accuracy = float((evidential(features(X[test])).argmax(1) == y[test]).double().mean())
    assert found == pytest.approx((accuracy, *areas), abs=2e-3)  # an order of two scores may be rounding's


def test_probes_are_blind_outside_and_near_the_ceiling_inside() -> None:
    settings = ProbeSettings(d=6, layer="oracle subspace", neurons=48, batch_size=50)
    accuracy, *areas = probe_run(settings, 0)
    outside, inside = areas[0::3], areas[1::3]
    assert accuracy > 0.85
    assert all(abs(area - 0.5) < 0.02 for area in outside)
    assert inside[0] < 0.2
    assert 0.85 < inside[2] < evidence.scaling_ceiling(3, 3.0) + 0.02
    assert probe_run(settings, 0) == (accuracy, *areas)


# Support


def test_scores_are_means_over_tasks() -> None:
    inputs = GaussianInputs(torch.eye(7, 2).double())
    X, F = inputs.sample(9, generator=generator()), sample_tasks(5, 2, generator=generator(1))
    patterns = inputs.patterns(X)
    expected = torch.stack([(F[t, patterns] @ X / 9).square() for t in range(5)]).mean(0)
    assert_close(support.correlation_scores(X, patterns, task_kernel(F)), expected)
    with refuses(ValueError, "correlation_scores: patterns must be between 0 and 3; got 9"):
        support.correlation_scores(X, patterns + 9 - patterns[0], limit_kernel(2))


def test_the_inputs_that_the_proof_asks_for() -> None:
    q = math.sqrt(2 * math.log(100 / 0.1))
    assert support.inputs_for_support(100, 3, 0.1) == math.ceil(math.pi / 2 * (q + math.sqrt(7) * (1 + q)) ** 2)
    with refuses(ValueError, "inputs_for_support: failure must be from 1e-12 to 1; got 0.0"):
        support.inputs_for_support(100, 3, 0.0)


# Overfitting


def test_the_kernel_of_infinitely_many_neurons() -> None:
    Z, X, W = normal(3, 4), normal(2, 4, seed=1), normal(400_000, 4, seed=2)
    simulated = torch.relu(Z @ W.T) @ torch.relu(X @ W.T).T / len(W)
    assert_close(overfitting.arc_cosine_kernel(Z, X), simulated, rtol=0.02, atol=0.02)
    assert_close(overfitting.arc_cosine_kernel(X, X).diagonal(), X.square().sum(1) / 2)


@pytest.mark.parametrize(("rule", "signs"), [("one sign", 1), ("parity of two", 2)])
def test_flipped_labels_are_fitted_as_one_fits_them_by_hand(rule: str, signs: int) -> None:
    """From the same streams, by scikit-learn, with the variances of the weights spelled out."""
    n, d, energy = 40, 8, 0.7
    random = streams(3, "inputs", "flips")
    X = torch.randn(n + 1500, d, generator=random["inputs"], dtype=torch.float64)
    y = X[:, :signs].sign().prod(1)
    noisy = torch.where(torch.rand(n, generator=random["flips"]) < 0.2, -y[:n], y[:n]).numpy()
    variances = torch.tensor([energy / 3] * 3 + [(1 - energy) / 5] * 5 + [1 / 3]).double()
    Z = torch.cat([X, torch.ones(len(X), 1)], 1) * variances.sqrt()
    K = overfitting.arc_cosine_kernel(Z, Z[:n]).numpy()
    size, found = n * np.diag(K[:n]).mean(), []
    for penalty in (1e-10, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0):
        model = KernelRidge(alpha=penalty * size, kernel="precomputed").fit(K[:n], noisy)
        right = np.sign(model.predict(K)) == np.r_[noisy, y[n:].numpy()]
        found.append([part.mean() for part in np.split(right, [n, n + 500])])
    best = max(found[1:], key=lambda shares: shares[1])
    settings = FlipSettings(d=d, energy=energy, rule=rule, examples=n, flips=0.2)
    assert flip_run(settings, 3) == pytest.approx((found[0][0], found[0][2], best[2]), abs=1e-12)
    assert best[1] != found[0][1]


def test_all_flipped_labels_are_fitted_and_leftovers_make_that_benign() -> None:
    pure, spread = (flip_run(FlipSettings(energy=e, d=2000, examples=100), 0) for e in (1.0, 0.9))
    assert pure[0] == spread[0] == 1
    assert spread[1] > pure[1] + 0.05
    assert pure[2] > pure[1] + 0.05
    clean = flip_run(FlipSettings(energy=1.0, d=5, examples=300, flips=0.0), 0)
    assert clean[1] > 0.9


# What is chosen


def test_what_is_chosen_when_nothing_else_is_said() -> None:
    """As the chapter on frozen layers says it."""
    many = {"neurons": 64, "batch_size": 20_000}
    assert PromptSettings() == PromptSettings(d=64, source="pretrained", reader="ridge", r=3, neurons=128, tasks=1024)
    assert PromptSettings().batch_size == 20_000
    assert AttackSettings() == AttackSettings(d=64, layer="pretrained", radius=0.5, examples=512, **many)  # type: ignore[arg-type]
    assert ProbeSettings() == ProbeSettings(d=64, layer="pretrained", hop=False, examples=600, **many)  # type: ignore[arg-type]
    assert FlipSettings() == FlipSettings(d=512, energy=1.0, rule="one sign", examples=100, flips=0.1)
    assert prompts._WIDTHS == (0.25, 0.5, 1.0, 2.0)
    assert prompts._UNLABELLED == 4096
    assert prompts._PENALTIES == (1e-3, 1e-2, 0.1, 0.3, 1.0)
    assert robustness._PENALTIES == (3e-4, 1e-3, 1e-2)
    assert evidence._PENALTIES == (1e-3, 1e-2)
    assert overfitting._PENALTIES == (1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (PromptSettings, ("d", "neurons", "tasks")),
        (AttackSettings, ("d", "neurons", "examples")),
        (ProbeSettings, ("d", "neurons")),
        (FlipSettings, ("d", "examples")),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_sizes_go_up_to_ten_thousand(make, names: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    for name in names:
        make(**{name: 10_000})
        with refuses(ValueError, f"{make.__name__}: {name} must be at most 10000; got 10001"):
            make(**{name: 10_001})


# What is refused


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: PromptSettings(d=3), "PromptSettings: r must be smaller than d = 3; got 3"),
        (
            lambda: PromptSettings(source="Gaussian kernel", reader="preconditioned"),
            "PromptSettings: reader must be 'attention' or 'ridge' with a Gaussian kernel; got preconditioned",
        ),
        (lambda: AttackSettings(radius=11.0), "AttackSettings: radius must be from 0 to 10; got 11.0"),
        (lambda: ProbeSettings(examples=100), "ProbeSettings: examples must be at least 200; got 100"),
        (lambda: FlipSettings(flips=0.6), "FlipSettings: flips must be from 0 to 0.5; got 0.6"),
        (lambda: evidence.scaling_ceiling(2, 0.5), "scaling_ceiling: scale must be from 1 to 1e+06; got 0.5"),
        (lambda: prompts.raw_context(3, 0.6), "raw_context: error must be from 1e-06 to 0.5; got 0.6"),
        (
            lambda: robustness.rule_robust_accuracy(MAJORITY, normal(4, 3), -1.0),
            "rule_robust_accuracy: radius must be finite and non-negative; got -1.0",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with refuses(ValueError, sentence):
        make()
