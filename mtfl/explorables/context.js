/**
 * Three readers of the same examples: a rule of two hidden features, and what kernel ridge regression makes of it on raw inputs,
 * on random features and on learned ones.
 *
 * Feature layers have infinitely many ReLU neurons, w ~ N(0, I) of all inputs or, learned, of the hidden features. Queries are one
 * fresh input for each of 256 equally likely cells of the plane of the features; the shares of errors are over them.
 */
import { arcCosine, generator, ridgeAnswers, ridgeFactors } from "./engine.js";
import { button, choice, html, lineChart, openView, picture, player, quadrants, remembering, resample, row, shown, slider, svg, text } from "./ui.js";

const MOST = 256, WIDEST = 256, SIDE = 16, QUERIES = SIDE * SIDE, RIDGE = 0.1, QUARTER = 0.25, FEW = 18;
const MIDDLES = [0.0784, 0.2372, 0.4023, 0.5791, 0.7764, 1.0100, 1.3180, 1.8627]; // of the upper eight of sixteen equally likely intervals
const RULES = { first: [-1, 1, -1, 1], second: [-1, -1, 1, 1], parity: [1, -1, -1, 1] }; // of the patterns --, +-, -+, ++
const READERS = [["raw inputs", "purple"], ["random features", "grey"], ["learned features", "blue"]];
const COUNTS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, MOST];
const DIMENSIONS = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, WIDEST];
const WIDTH = 340, PLANE = 160, TOP = 20, EDGES = [4, WIDTH - PLANE], CELL = PLANE / SIDE;

/** The normal distribution function, to 0.0003: places only. */
const below = (x) => 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** Examples, then queries: hidden features (n, 2) and all other coordinates (n, 254). */
function drawInputs(seed) {
  const rng = generator(seed, 8), n = MOST + QUERIES, H = new Float64Array(2 * n), Z = new Float64Array((WIDEST - 2) * n);
  for (let i = 0; i < n; i++) {
    const cell = i - MOST, at = (k) => (k < SIDE / 2 ? -MIDDLES[SIDE / 2 - 1 - k] : MIDDLES[k - SIDE / 2]);
    for (let k = 0; k < 2; k++) H[2 * i + k] = cell < 0 ? rng.normal() : at(k ? SIDE - 1 - Math.floor(cell / SIDE) : cell % SIDE);
    for (let k = 0; k < WIDEST - 2; k++) Z[i * (WIDEST - 2) + k] = rng.normal();
  }
  return { H, Z };
}

/** Inner products of the first rows with all rows before them, and with the queries: kernels (MOST, MOST) and (MOST, QUERIES). */
function kernelsOf({ H, Z }, d, ...kernels) {
  const n = MOST + QUERIES, wide = WIDEST - 2, squares = new Float64Array(n);
  const product = (i, j) => {
    let sum = H[2 * i] * H[2 * j] + H[2 * i + 1] * H[2 * j + 1];
    for (let k = 0, a = i * wide, b = j * wide; k < d - 2; k++) sum += Z[a + k] * Z[b + k];
    return sum;
  };
  for (let i = 0; i < n; i++) squares[i] = product(i, i);
  const found = kernels.map(() => ({ K: new Float64Array(MOST * MOST), cross: new Float64Array(MOST * QUERIES) }));
  for (let i = 0; i < MOST; i++) {
    for (let j = 0; j < n; j++) {
      if (j > i && j < MOST) continue; // only the lower half is read
      const xy = product(i, j);
      kernels.forEach((kernel, k) => {
        const value = kernel(squares[i], squares[j], xy);
        if (j < MOST) found[k].K[i * MOST + j] = value;
        else found[k].cross[i * QUERIES + j - MOST] = value;
      });
    }
  }
  return found;
}

/** Factors of the readers that see d coordinates: raw inputs by a Gaussian kernel of width sqrt(d), random features. */
function seeingAll(inputs, d) {
  const [raw, random] = kernelsOf(inputs, d, (xx, yy, xy) => Math.exp((2 * xy - xx - yy) / (2 * d)), arcCosine);
  return [ridgeFactors(raw.K, raw.cross, RIDGE), ridgeFactors(random.K, random.cross, (RIDGE * d) / 2)];
}

/** Factors of the reader that sees the hidden features only. */
function seeingFeatures(inputs) {
  const [learned] = kernelsOf(inputs, 2, arcCosine);
  return ridgeFactors(learned.K, learned.cross, RIDGE);
}

/** Labels of all inputs. */
const labelsOf = ({ H }, rule) => Float64Array.from({ length: MOST + QUERIES }, (_, i) => RULES[rule][(H[2 * i] > 0) + 2 * (H[2 * i + 1] > 0)]);

/** The share of queries on which answers (MOST, QUERIES) err, by the number of examples. */
function errorsOf(answers, labels) {
  return Array.from({ length: MOST }, (_, i) => {
    let wrong = 0;
    for (let a = 0; a < QUERIES; a++) wrong += answers[i * QUERIES + a] * labels[MOST + a] > 0 ? 0 : 1;
    return wrong / QUERIES;
  });
}

export function render({ model, el }) {
  const view = openView({ model, el });
  const inputsOf = remembering(drawInputs), learnedOf = remembering((seed) => seeingFeatures(inputsOf(seed)));
  const allOf = remembering((seed, d) => seeingAll(inputsOf(seed), d));
  const readOf = remembering((seed, d, rule) => {
    const inputs = inputsOf(seed), labels = labelsOf(inputs, rule), y = labels.subarray(0, MOST);
    const answers = [...allOf(seed, d), learnedOf(seed)].map((factors) => ridgeAnswers(factors, y));
    return { inputs, labels, answers, errors: answers.map((of) => errorsOf(of, labels)) };
  });

  // Four planes: the examples, and what each reader makes of them
  const board = view.picture(picture(WIDTH, 2 * (TOP + PLANE) + 36)), corners = [TOP, 2 * TOP + PLANE + 17].flatMap((y) => EDGES.map((x) => [x, y]));
  const titles = corners.map(([x, y]) => text(x, y - 6, "", { class: "mtfl-title" })), rule = svg("g", { opacity: 0.3 });
  const path = (name) => svg("path", { class: name }), dots = ["plus", "minus"].map((sign) => path(`mtfl-input mtfl-${sign}`)), latest = svg("circle", { class: "mtfl-ellipse", r: 7 });
  const guesses = READERS.map(() => ["plus", "minus"].map((sign) => svg("path", { class: `mtfl-level mtfl-${sign}`, "fill-opacity": sign === "plus" ? 0.85 : 0.5 })));
  board.append(rule, ...dots, latest, ...guesses.flat(), ...titles,
    ...corners.map(([x, y]) => svg("path", { class: "mtfl-axes", d: `M${x} ${y + PLANE / 2}h${PLANE}M${x + PLANE / 2} ${y}v${PLANE}` })),
    text(EDGES[0], corners[2][1] + PLANE + 15, "across: feature 1, up: feature 2"), text(WIDTH, corners[2][1] + PLANE + 15, "a cell: a fresh input", { "text-anchor": "end" }));

  const axis = { min: 1, max: MOST, ticks: [1, 4, 16, 64, MOST], label: "examples N", log: true };
  const chart = lineChart({
    height: 200, x: axis, y: { min: 0, max: 0.56, ticks: [0, 0.25, 0.5] },
    series: [...READERS.map(([name, colour]) => ({ name: name.replace(" features", name[0] === "l" ? "" : " features"), colour, end: true })),
      ...READERS.map(([, colour]) => ({ name: "", colour: `${colour} mtfl-thin` }))],
  });
  const add = (more) => view.get("examples") < MOST && view.set({ examples: Math.min(MOST, view.get("examples") + more) });
  const play = player(view, 300, () => add(Math.ceil(view.get("examples") / 12)));
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {}, board),
      html("div", {},
        slider(view, "examples", { label: "Examples N", stops: COUNTS, say: (N) => `${N} ${N === 1 ? "example" : "examples"}` }),
        row(play.node, button("One more", () => add(1)), resample(view)),
        slider(view, "d", { label: "Dimension d", stops: DIMENSIONS }),
        choice(view, "rule", { label: "Rule", values: { first: "feature 1", second: "feature 2", parity: "parity" } }),
        view.picture(chart.node))),
    view.words,
  );

  let seen = null;
  view.watch(["examples", "d", "rule", "seed"], () => {
    const [N, d, name, seed] = ["examples", "d", "rule", "seed"].map(view.get), { inputs, labels, answers, errors } = readOf(seed, d, name);
    const percent = (share) => `${(100 * share).toFixed(0)}\u00a0%`, now = errors.map((of) => of[N - 1]);
    const place = (i) => [corners[0][0] + PLANE * below(inputs.H[2 * i]), corners[0][1] + PLANE * (1 - below(inputs.H[2 * i + 1]))];
    titles[0].textContent = `${N} ${N === 1 ? "example" : "examples"}`;
    READERS.forEach(([reader], k) => (titles[k + 1].textContent = `${reader}: ${percent(now[k])}`));
    rule.replaceChildren(quadrants(RULES[name], ...corners[0], PLANE));
    dots.forEach((node, minus) => node.setAttribute("d", Array.from({ length: N }, (_, i) => i).filter((i) => labels[i] < 0 === Boolean(minus))
      .map((i) => `M${place(i).map((value) => value.toFixed(1)).join(" ")}m-2.5-2.5h5v5h-5z`).join("")));
    place(N - 1).forEach((value, k) => latest.setAttribute(k ? "cy" : "cx", value.toFixed(1)));
    const guessed = answers.map((of) => [...of.subarray((N - 1) * QUERIES, N * QUERIES)]);
    guesses.forEach((nodes, k) => nodes.forEach((node, minus) => node.setAttribute("d", guessed[k].map((answer, a) => (answer > 0 === Boolean(minus) ? ""
      : `M${corners[k + 1][0] + CELL * (a % SIDE)} ${corners[k + 1][1] + CELL * Math.floor(a / SIDE)}h${CELL}v${CELL}h-${CELL}z`)).join(""))));
    const lines = errors.map((of) => of.map((error, i) => [i + 1, error]));
    chart.plot([...lines.map((line) => line.slice(0, N)), ...lines]);
    const first = errors.map((of) => of.findIndex((error) => error < QUARTER) + 1), when = (count) => (count ? String(count) : `over ${MOST}`);
    seen = { raw: now[0], random: now[1], learned: now[2], errors, first, guesses: guessed.map((of) => of.map((answer) => (answer > 0 ? 1 : -1))), H: [...inputs.H], labels: [...labels],
      Z: d <= FEW ? Array.from({ length: (MOST + QUERIES) * (d - 2) }, (_, n) => inputs.Z[Math.floor(n / (d - 2)) * (WIDEST - 2) + (n % (d - 2))]) : null };
    view.say(`After ${N} ${N === 1 ? "example" : "examples"} in ${shown(d)} dimensions raw inputs err on ${percent(now[0])} of fresh inputs, random features on ${percent(now[1])}, learned features on ${percent(now[2])}.`
      + ` They first err on less than a quarter with ${when(first[0])}, ${when(first[1])} and ${when(first[2])} examples, the last in any dimension.`);
    view.report({ raw: now[0], random: now[1], learned: now[2] });
  });
  view.inspect(() => seen);
  return view.end;
}
