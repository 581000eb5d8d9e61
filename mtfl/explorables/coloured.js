/**
 * A step on coloured inputs: one hidden direction M in the plane, and what a step learns where inputs are longer in some
 * directions than in others: Sigma M instead of M.
 *
 * All tasks of one feature are balanced tasks, alike but for their sign: the step is the same for any number of them.
 */
import { colouredStep, gamma, generator, sampledStep } from "./engine.js";
import { choice, count, html, lineChart, openView, picture, player, remembering, resample, row, shown, slider, svg, text } from "./ui.js";

const RATIOS = [1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.5, 4, 4.5, 5], ANGLES = Array.from({ length: 36 }, (_, k) => 5 * k);
const INPUTS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, "inf"], DIMENSIONS = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1000];
const NEURONS = 24, SHOWN = 150, DRAWS = 20, STEP = 4 * Math.PI;
const WIDTH = 340, SIDE = 164, TOP = 20, CENTRES = [SIDE / 2, WIDTH - SIDE / 2], MIDDLE = TOP + SIDE / 2, M = [0, 1];

const radians = (degrees) => (Math.PI * degrees) / 180;

/** Variances along and across the long axis, of mean 1. */
const variances = (ratio) => [2 * ratio ** 2, 2].map((value) => value / (1 + ratio ** 2));

/** The covariance (2, 2) whose long axis stands at this angle to M, and its root or inverse. */
function covariance(ratio, angle, power = 1) {
  const [long, short] = variances(ratio).map((value) => value ** power), x = Math.sin(radians(angle)), y = Math.cos(radians(angle));
  return [long * x * x + short * y * y, (long - short) * x * y, (long - short) * x * y, long * y * y + short * x * x];
}

const times = (A, V) => V.map((_, n) => A[2 * (n % 2)] * V[n - (n % 2)] + A[2 * (n % 2) + 1] * V[n - (n % 2) + 1]);

/** Energy of a step if a share of M's square lies along long axes, the rest along short ones. */
const energyAt = (ratio, share) => (share * ratio ** 2 + 1 - share) ** 2 / (share * ratio ** 4 + 1 - share);

/** What the energy tends to in many dimensions, half of them long: 1 / (1 + CV^2). */
function lawAt(ratio) {
  const [long] = variances(ratio);
  return 1 / (1 + (long - 1) ** 2);
}

/** The share of M's square along the long half of d axes, for M uniform on the sphere. */
function randomShare(d, rng) {
  const long = gamma(Math.floor(d / 2) / 2, rng), short = gamma(Math.ceil(d / 2) / 2, rng);
  return long / (long + short);
}

/** Energy of steps (m, 2), and the angle between M and their main direction in degrees, -90 ... 90. */
function learnedFrom(G) {
  let xx = 0, yy = 0, xy = 0;
  for (let n = 0; n < G.length; n += 2) [xx, yy, xy] = [xx + G[n] ** 2, yy + G[n + 1] ** 2, xy + G[n] * G[n + 1]];
  return { energy: yy / (xx + yy || 1), turn: (90 / Math.PI) * Math.atan2(2 * xy, yy - xx) };
}

export function render({ model, el }) {
  const view = openView({ model, el });
  const drawn = remembering((seed) => {
    const rng = generator(seed, 6), normals = (n) => Float64Array.from({ length: n }, () => rng.normal());
    return { W: normals(2 * NEURONS).map((value) => value / Math.SQRT2), batches: [normals(2 * 4096), normals(2 * 4096)] };
  });
  const sharesOf = remembering((d, seed) => {
    const rng = generator(seed, 7);
    return Array.from({ length: DRAWS }, () => randomShare(d, rng));
  });
  const labelled = (G, root) => {
    const X = times(root, G);
    return { X, y: Float64Array.from({ length: X.length / 2 }, (_, i) => (X[2 * i + 1] > 0 ? 1 : -1)) };
  };

  // The plane, twice: inputs, and neurons
  const plane = view.picture(picture(WIDTH, TOP + SIDE + 18)), path = (name) => svg("path", { class: name });
  const inputs = ["plus", "minus"].map((sign) => path(`mtfl-input mtfl-${sign}`)), ellipse = svg("ellipse", { class: "mtfl-ellipse" });
  const before = path("mtfl-ghosts mtfl-grey"), spokes = path("mtfl-spokes mtfl-ink"), after = path("mtfl-dots mtfl-ink");
  const learned = CENTRES.map(() => path("mtfl-line mtfl-green")), heads = CENTRES.map((x) => text(x + 6, TOP + 10, "M", { class: "mtfl-title mtfl-strong" }));
  plane.append(
    text(0, 12, "Inputs and their labels", { class: "mtfl-title" }), text(CENTRES[1] - SIDE / 2, 12, "Neurons", { class: "mtfl-title" }),
    ...inputs, ellipse, before, spokes, after,
    ...CENTRES.map((x) => svg("path", { class: "mtfl-line mtfl-ink mtfl-dashed", d: `M${x} ${TOP}v${SIDE}` })), ...learned, ...heads,
    text(0, TOP + SIDE + 14, "dashed: the hidden direction M"), text(WIDTH, TOP + SIDE + 14, "green: learned", { "text-anchor": "end" }));

  const chart = lineChart({
    height: 214, x: { min: 1, max: 5, ticks: [1, 2, 3, 4, 5], label: "how many times as long" }, y: { min: 0, max: 1, ticks: [0, 0.5, 1] },
    series: [{ name: "energy", colour: "blue" }, { name: "random M", colour: "purple" }, { name: "law", colour: "ink mtfl-dashed" }, { name: "", colour: "blue", end: true }],
  });
  const play = player(view, 160, () => view.set({ angle: (5 * Math.floor(view.get("angle") / 5) + 5) % 180 }));
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {}, plane,
        slider(view, "ratio", { label: "Inputs are longer in one direction", stops: RATIOS, show: (value) => `${shown(value)} times`, say: (value) => `${shown(value)} times` }),
        slider(view, "angle", { label: "Turn it away from M", stops: ANGLES, show: (value) => `${shown(value)}°`, say: (value) => `${shown(value)} degrees` }),
        row(play.node, resample(view))),
      html("div", {},
        view.picture(chart.node),
        choice(view, "step", { label: "Step", values: { plain: "plain", repaired: "times Σ⁻¹" } }),
        slider(view, "inputs", { label: "Inputs in a batch", stops: INPUTS, say: (n) => (n === "inf" ? "infinitely many inputs" : `${n} inputs`) }),
        slider(view, "d", { label: "Dimension d for random M", stops: DIMENSIONS, off: () => (view.get("step") === "plain" ? "" : "no part"), also: ["step"] }))),
    view.words,
  );

  let seen = null;
  view.watch(["ratio", "angle", "step", "inputs", "d", "seed"], () => {
    const [ratio, angle, step, n, d, seed] = ["ratio", "angle", "step", "inputs", "d", "seed"].map(view.get), { W, batches } = drawn(seed);
    const Sigma = covariance(ratio, angle), root = covariance(ratio, angle, 0.5), repaired = step === "repaired";
    const [first, second] = batches.map((G) => labelled(n === "inf" ? G.subarray(0, 2 * SHOWN) : G.subarray(0, 2 * n), root));
    const plain = n === "inf" ? colouredStep(W, Sigma, M) : sampledStep(W, first, second, 2), G = repaired ? times(covariance(ratio, angle, -1), plain) : plain;
    const { energy, turn } = learnedFrom(G), moved = W.map((w, k) => w + STEP * G[k]);
    // pictures
    const unit = SIDE / 7, at = (x, y, centre, scale) => `${(CENTRES[centre] + scale * x).toFixed(1)} ${(MIDDLE - scale * y).toFixed(1)}`;
    const inside = (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 3.45;
    inputs.forEach((node, minus) => node.setAttribute("d", Array.from(first.y.subarray(0, SHOWN), (label, i) => [label, first.X[2 * i], first.X[2 * i + 1]])
      .filter(([label, x, y]) => label < 0 === Boolean(minus) && inside(x, y)).map(([, x, y]) => `M${at(x, y, 0, unit)}m-1.5-1.5h3v3h-3z`).join("")));
    const [long, short] = variances(ratio).map(Math.sqrt);
    ellipse.setAttribute("rx", (2 * unit * short).toFixed(2));
    ellipse.setAttribute("ry", (2 * unit * long).toFixed(2));
    ellipse.setAttribute("transform", `translate(${CENTRES[0]} ${MIDDLE}) rotate(${shown(angle).replace("−", "-")})`);
    const reach = Math.max(...moved.map(Math.abs), ...W.map(Math.abs)), scale = (0.47 * SIDE) / reach, points = Array.from({ length: NEURONS }, (_, j) => [2 * j, 2 * j + 1]);
    before.setAttribute("d", points.map(([x, y]) => `M${at(W[x], W[y], 1, scale)}h.01`).join(""));
    spokes.setAttribute("d", points.map(([x, y]) => `M${at(W[x], W[y], 1, scale)}L${at(moved[x], moved[y], 1, scale)}`).join(""));
    after.setAttribute("d", points.map(([x, y]) => `M${at(moved[x], moved[y], 1, scale)}h.01`).join(""));
    const a = radians(turn), half = SIDE / 2 / Math.max(Math.abs(Math.sin(a)), Math.abs(Math.cos(a)));
    learned.forEach((node, k) => node.setAttribute("d", `M${at(-Math.sin(a), -Math.cos(a), k, half)}L${at(Math.sin(a), Math.cos(a), k, half)}`));
    // the chart
    const share = Math.cos(radians(angle)) ** 2, fine = Array.from({ length: 81 }, (_, k) => 1 + k / 20), shares = sharesOf(d, seed);
    const random = shares.map((of) => (repaired ? 1 : energyAt(ratio, of))), low = Math.min(...random), high = Math.max(...random), law = lawAt(ratio);
    chart.plot([fine.map((x) => [x, repaired ? 1 : energyAt(x, share)]), [[ratio, low - 0.008], [ratio, high + 0.008]], fine.map((x) => [x, repaired ? 1 : lawAt(x)]), [[ratio, energy]]]);
    seen = { W: [...W], G: [...G], X: [[...first.X], [...second.X]], energy, turn, random, law, Sigma };
    const off = Math.abs(turn), where = `${off.toFixed(0)}° from M, energy ${energy.toFixed(2)}`;
    const told = ratio === 1 ? "Inputs are equally long in all directions" : `Inputs are ${shown(ratio)} times as long in a direction ${shown(Math.min(angle, 180 - angle))}° from M`;
    const steps = `the step${repaired ? " times Σ⁻¹" : ""} points ${where}`, range = low.toFixed(2) === high.toFixed(2) ? low.toFixed(2) : `${low.toFixed(2)} to ${high.toFixed(2)}`;
    view.say(`${told}. ${n === "inf" ? `On infinitely many inputs and any number of tasks ${steps}.` : `On batches of ${n} inputs ${steps}; more inputs lead to ${repaired ? "1.00" : energyAt(ratio, share).toFixed(2)}.`}`
      + (repaired ? " For any M in any dimension the repaired step leads to energy 1.00." : ` For ${DRAWS} random M in ${shown(d)} dimensions, ${d % 2 ? "about half" : "half"} of them long, the energy is ${range}; the law for many dimensions says ${law.toFixed(2)}.`));
    view.report({ energy, turn });
  });
  view.inspect(() => seen);
  return view.end;
}
