/**
 * Paint a task: the labels of 2, 3 or 4 features, their Walsh spectrum, and what one exact step on this task alone learns.
 *
 * The layer has infinitely many neurons: the mean over v ~ N(0, I_r / d) is a product rule with five nodes for each
 * feature, as in `mtfl.single_task`, and |w - M v|^2 is at its mean 1 - r / d.
 */
import { generator, learned, patternMoments, patternSigns, sampleTasks, singularValues, stepOfMoments, walshCoefficients } from "./engine.js";
import { button, choice, html, openView, picture, row, slider, svg, text } from "./ui.js";

const DIMENSIONS = [30, 100, 300, 1000, 3000, 10000, 100000, 1000000];
const ENERGY = 0.5, EVENNESS = 0.3, NOTHING = 1e-24;
const ROOT = Math.sqrt(10);
const POINTS = [-Math.sqrt(5 + ROOT), -Math.sqrt(5 - ROOT), 0, Math.sqrt(5 - ROOT), Math.sqrt(5 + ROOT)];
const MASSES = [(7 - 2 * ROOT) / 60, (7 + 2 * ROOT) / 60, 8 / 15, (7 + 2 * ROOT) / 60, (7 - 2 * ROOT) / 60];
const GRAY = [0, 1, 3, 2]; // neighbours in a 4 x 4 map differ in one feature
const SIDE = 250;

/** Nodes of the layer, their masses and their moments. */
function layerOf(r, d) {
  const count = 5 ** r, V = new Float64Array(count * r), mass = new Float64Array(count).fill(1);
  for (let n = 0; n < count; n++) {
    for (let i = 0, rest = n; i < r; i++, rest = Math.floor(rest / 5)) {
      V[n * r + i] = POINTS[rest % 5] / Math.sqrt(d);
      mass[n] *= MASSES[rest % 5];
    }
  }
  const neurons = { V, tau: new Float64Array(count).fill(Math.sqrt(1 - r / d)) };
  return { neurons, mass, moments: patternMoments(neurons.V, neurons.tau) };
}

/** What one step on the task f (K) learns: energy, singular values over the largest, root mean square size. */
function stepOn(f, r, { neurons, mass, moments }, matched) {
  const K = 2 ** r, kernel = Float64Array.from({ length: K * K }, (_, n) => f[Math.floor(n / K)] * f[n % K]);
  const mean = f.reduce((sum, label) => sum + label, 0) / K;
  const step = learned(neurons, stepOfMoments(moments, kernel), matched ? (mean * mean) / (2 * Math.PI) : 0);
  const inside = step.V.map((value, n) => value * Math.sqrt(mass[Math.floor(n / r)]));
  const values = singularValues(inside, r), inner = inside.reduce((sum, value) => sum + value * value, 0);
  const total = inner + step.tau.reduce((sum, value, n) => sum + mass[n] * value * value, 0);
  const moves = total > NOTHING;
  return {
    energy: moves ? inner / total : 0,
    values: values.map((value) => (moves && inner > NOTHING ? value / values[0] : 0)),
    size: Math.sqrt(total),
  };
}

/** Where the patterns lie in the picture: quadrants, corners of a cube, or a map of 4 x 4. */
function placesOf(r) {
  const z = patternSigns(r);
  return Array.from({ length: 2 ** r }, (_, k) => {
    const at = (i) => z[k * r + i];
    if (r === 2) return [125 + 58 * at(0), 125 - 58 * at(1)];
    if (r === 3) return [125 + 62 * at(0) + 32 * at(2), 125 - 62 * at(1) - 26 * at(2)];
    return [32 + 62 * GRAY.indexOf(k & 3), 32 + 62 * GRAY.indexOf(k >> 2)];
  });
}

/** Bars for numbers in low ... 1, from 0. */
function barChart(width, height, low) {
  const node = picture(width, height, { class: "mtfl-bars" }), level = (value) => 8 + ((height - 30) * (1 - value)) / (1 - low);
  const draw = (values, labels, colours) => {
    const step = width / values.length;
    node.replaceChildren(
      svg("path", { class: "mtfl-grid", d: `M0 ${level(0)}H${width}` }),
      ...values.map((value, n) => svg("rect", {
        class: `mtfl-bar mtfl-${colours(value)}`, x: (n + 0.18) * step, width: 0.64 * step,
        y: Math.min(level(value), level(0)).toFixed(2), height: Math.max(1, Math.abs(level(value) - level(0))).toFixed(2) })),
      ...labels.map((label, n) => text((n + 0.5) * step, height - 4, label, { "text-anchor": "middle" })));
  };
  return { node, draw };
}

/** Labels of a task as an array of -1 and +1, and back to its number. */
const labelsOf = (task, r) => Float64Array.from({ length: 2 ** r }, (_, k) => (task >> k & 1 ? 1 : -1));
const numberOf = (f) => f.reduce((sum, label, k) => sum + (label > 0 ? 2 ** k : 0), 0);
const wordsOf = (k, r) => Array.from({ length: r }, (_, i) => (k >> i & 1 ? "+" : "−")).join("");

export function render({ model, el }) {
  const view = openView({ model, el });
  let layer = null, shape = null, result = null, spectrum = null;
  const task = () => labelsOf(view.get("task"), view.get("r"));
  const flip = (k) => view.set({ task: view.get("task") ^ (1 << k) });

  const canvas = view.picture(picture(SIDE, SIDE, { class: "mtfl-task" }));
  const toggles = html("div", { class: "mtfl-toggles", role: "group", "aria-label": "Labels of the patterns" });
  let cells = [], boxes = [], arrow = svg("path", { class: "mtfl-arrow" });

  /** Cells, edges and toggles for another number of features. */
  const furnish = (r) => {
    const places = placesOf(r), size = r === 2 ? 112 : 58, radius = 17;
    const edge = ([x, y], [u, v]) => { // from rim to rim
      const part = radius / Math.hypot(u - x, v - y), [a, b] = [part * (u - x), part * (v - y)];
      return `M${x + a} ${y + b}L${u - a} ${v - b}`;
    };
    const edges = svg("path", { class: "mtfl-grid", d: r === 3 ? places.flatMap((place, k) => [1, 2, 4]
      .filter((bit) => !(k & bit)).map((bit) => edge(place, places[k | bit]))).join("") : "" });
    cells = places.map(([x, y], k) => {
      const attributes = { "data-pattern": k, click: () => flip(k) };
      return r === 3 ? svg("circle", { cx: x, cy: y, r: radius, ...attributes })
        : svg("rect", { x: x - size / 2, y: y - size / 2, width: size, height: size, rx: 4, ...attributes });
    });
    const names = places.map(([x, y], k) => text(x, y + 4, wordsOf(k, r), { "text-anchor": "middle", class: "mtfl-name" }));
    canvas.replaceChildren(edges, ...cells, arrow, ...names);
    boxes = places.map((_, k) => html("button", { type: "button", "data-pattern": k, click: () => flip(k) }, wordsOf(k, r)));
    toggles.replaceChildren(...boxes);
  };

  const named = (make) => () => {
    const r = view.get("r"), z = patternSigns(r);
    view.set({ task: numberOf(Float64Array.from({ length: 2 ** r }, (_, k) => make(Array.from(z.slice(k * r, k * r + r))))) });
  };
  const random = () => {
    const seed = (view.get("seed") + 1) % 2 ** 32;
    view.set({ seed, task: numberOf(sampleTasks(1, view.get("r"), "uniform", generator(seed, 1))) });
  };
  const coefficients = barChart(340, 120, -1), singular = barChart(340, 120, 0);
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {}, canvas, toggles,
        row(button("Parity", named((z) => z.reduce((product, sign) => product * sign))),
          button("Majority", named((z) => (z.reduce((sum, sign) => sum + sign) > 0 ? 1 : -1))),
          button("Constant", named(() => 1)), button("Random", random))),
      html("div", {},
        choice(view, "r", { label: "Features", values: { 2: "2", 3: "3", 4: "4" },
          move: (value) => ({ r: Number(value), task: numberOf(sampleTasks(1, Number(value), "balanced", generator(view.get("seed"), 2))) }) }),
        slider(view, "d", { label: "Dimension d", stops: DIMENSIONS }),
        choice(view, "decay", { label: "Weight decay", values: { none: "none", matched: "matched" } }),
        html("p", { class: "mtfl-caption" }, "Walsh coefficients, by their sets of features"), view.picture(coefficients.node),
        html("p", { class: "mtfl-caption" }, "Directions learned, largest first"), view.picture(singular.node))),
    view.words,
  );

  view.watch(["r", "task", "d", "decay"], () => {
    const r = view.get("r"), d = view.get("d"), f = task(), K = 2 ** r;
    if (shape !== r) furnish(shape = r);
    if (layer?.key !== `${r},${d}`) layer = { key: `${r},${d}`, ...layerOf(r, d) };
    result = stepOn(f, r, layer, view.get("decay") === "matched");
    spectrum = walshCoefficients(f, r);
    f.forEach((label, k) => {
      cells[k].setAttribute("class", label > 0 ? "mtfl-cell mtfl-plus" : "mtfl-cell mtfl-minus");
      boxes[k].setAttribute("aria-pressed", label > 0);
    });
    const first = Array.from({ length: r }, (_, i) => spectrum[1 << i]), length = Math.hypot(...first);
    const [x, y] = r === 2 ? [100 * first[0], -100 * first[1]]
      : r === 3 ? [62 * first[0] + 32 * first[2], -62 * first[1] - 26 * first[2]].map((value) => 1.5 * value) : [0, 0];
    arrow.setAttribute("d", length > 0 && r < 4 ? `M125 125l${x.toFixed(1)} ${y.toFixed(1)}${head(x, y)}` : "");
    const sets = Array.from({ length: K }, (_, S) => S).sort((a, b) => degree(a) - degree(b) || a - b);
    const label = (S) => (S ? Array.from({ length: r }, (_, i) => (S >> i & 1 ? i + 1 : "")).join("") : "∅");
    coefficients.draw(sets.map((S) => spectrum[S]), sets.map(label), (value) => (value < 0 ? "minus" : "plus"));
    singular.draw(result.values, result.values.map((value) => value.toFixed(2)), (value) => (value >= EVENNESS && result.energy >= ENERGY ? "green" : "grey"));
    const kept = result.energy >= ENERGY ? result.values.filter((value) => value >= EVENNESS).length : 0;
    const ignored = Array.from({ length: r }, (_, i) => i).filter((i) => f.every((value, k) => value === f[k ^ (1 << i)]));
    const moves = result.values[0] > 0;
    view.say((moves
      ? `One step on this task in dimension ${d.toLocaleString("en")} learns ${kept} of ${r} directions: energy ${result.energy.toFixed(2)}, conditioning ${result.values.at(-1).toFixed(2)}.`
      : `One step on this task in dimension ${d.toLocaleString("en")} moves nothing inside the subspace.`)
      + (ignored.length ? ` The task ignores feature${ignored.length > 1 ? "s" : ""} ${ignored.map((i) => i + 1).join(", ")}.` : "")
      + (length === 0 ? " It has no part of degree one." : ""));
    view.report({ energy: result.energy, conditioning: result.values.at(-1), directions: kept });
  });
  view.inspect(() => ({ f: [...task()], spectrum: [...spectrum], ...result }));
  return view.end;
}

/** The head of an arrow along (x, y), from its tip. */
function head(x, y) {
  const scale = 9 / (Math.hypot(x, y) || 1), [a, b] = [x * scale, y * scale];
  return `m${(-a - b).toFixed(1)} ${(a - b).toFixed(1)}l${(a + b).toFixed(1)} ${(b - a).toFixed(1)}l${(b - a).toFixed(1)} ${(-a - b).toFixed(1)}`;
}

/** How many features a set holds. */
function degree(S) {
  let count = 0;
  for (; S; S &= S - 1) count++;
  return count;
}
