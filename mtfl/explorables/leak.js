/**
 * One unit, any slope: the mean squared correlation of the tasks with a leaky unit, by where the neuron looks.
 *
 * Two features. Leaky units are positively homogeneous, so that only a neuron's direction matters: those of length one
 * are a disk of (v_1, v_2), with the rest of the length outside. The picture is even in each feature.
 */
import { generator, leakyMoments, limitKernel, patternMoments, randomNeurons, squaredCorrelations, stepOfMoments } from "./engine.js";
import { choice, html, lineChart, openView, picture, player, quadrants, remembering, row, shown, slider, svg, text } from "./ui.js";

const SLOPES = Array.from({ length: 41 }, (_, k) => (k - 20) / 20), DIMENSIONS = [3, 5, 10, 20, 30, 50, 100, 200, 500, 1000];
const SIDE = 340, CENTRE = 170, RADIUS = 146, TOP = 26, FOOT = 22, CELL = 12, REACH = Math.floor(RADIUS / CELL);
const LEVELS = 12, SPACING = 0.24, NEURONS = 60, UNIT = 8 * Math.PI; // 2 pi K
const PRODUCTS = { feature: [-1, 1, -1, 1], parity: [1, -1, -1, 1] };
const NAMED = [[-1, "absolute value"], [0, "ReLU"], [1, "identity"]];

/** Neurons of length one at points (m, 2) of the disk, with their moments. */
function lookingAt(V) {
  const tau = Float64Array.from({ length: V.length / 2 }, (_, n) => Math.sqrt(Math.max(0, 1 - V[2 * n] ** 2 - V[2 * n + 1] ** 2)));
  return { V, tau, moments: patternMoments(V, tau) };
}

/** Points of a square grid within the disk, (m, 2). */
function gridOf(spacing, most) {
  const places = [], side = Math.floor(most / spacing);
  for (let x = -side; x <= side; x++) for (let y = -side; y <= side; y++) if (Math.hypot(x, y) * spacing <= most) places.push(x * spacing, y * spacing);
  return Float64Array.from(places);
}

export function render({ model, el }) {
  const view = openView({ model, el });
  const cells = lookingAt(gridOf(CELL / RADIUS, 0.98)), arrows = lookingAt(gridOf(SPACING, 0.95));
  const kernelOf = (tasks) => (PRODUCTS[tasks] ? Float64Array.from({ length: 16 }, (_, n) => PRODUCTS[tasks][n >> 2] * PRODUCTS[tasks][n & 3])
    : limitKernel(2, tasks === "all" ? "uniform" : "balanced"));

  /** Mean squared correlations of the cells, and how the step turns the arrows' neurons, (m, 2). */
  const fieldOf = (leak, kernel) => {
    const squares = squaredCorrelations(leakyMoments(cells.moments, cells.V, leak), kernel);
    const { parallel, perpendicular } = stepOfMoments(leakyMoments(arrows.moments, arrows.V, leak), kernel);
    const turns = parallel.map((p, n) => {
      const j = n >> 1, v = arrows.V, along = parallel[2 * j] * v[2 * j] + parallel[2 * j + 1] * v[2 * j + 1] + perpendicular[j] * arrows.tau[j] ** 2;
      return p - along * v[n];
    });
    return { squares, turns };
  };
  // Both are (1 - leak)^2 times one field plus (1 + leak)^2 times another: they are largest at an end.
  const scaleOf = remembering((tasks) => {
    const ends = [-1, 1].map((leak) => fieldOf(leak, kernelOf(tasks)));
    return { square: Math.max(...ends.flatMap(({ squares }) => [...squares])), turn: Math.max(...ends.flatMap(({ turns }) => [...turns].map(Math.abs))) };
  });
  const layerOf = remembering((d) => {
    const { V, tau } = randomNeurons(NEURONS, 2, d, generator(1, 0));
    const length = tau.map((t, n) => Math.hypot(t, V[2 * n], V[2 * n + 1]));
    return lookingAt(V.map((value, n) => value / length[n >> 1]));
  });

  /** Gains of the random neurons on all tasks, inside and outside. */
  const gainsOf = (leak, { V, tau, moments }) => {
    const { parallel, perpendicular } = stepOfMoments(leakyMoments(moments, V, leak), limitKernel(2, "uniform"), UNIT);
    const sum = (values) => values.reduce((total, value) => total + value, 0);
    return [sum(parallel.map((p, n) => p * V[n])) / sum(V.map((v) => v * v)), sum(perpendicular.map((p, n) => p * tau[n] ** 2)) / sum(tau.map((t) => t * t))];
  };
  const curvesOf = remembering((d) => SLOPES.map((leak) => gainsOf(leak, layerOf(d))));

  // The disk
  const disk = view.picture(picture(SIDE, TOP + 2 * RADIUS + FOOT)), middle = TOP + RADIUS, title = text(0, 13, "", { class: "mtfl-title" }), tile = svg("g");
  const levels = Array.from({ length: LEVELS }, (_, n) => svg("path", { class: "mtfl-level mtfl-vermilion", "fill-opacity": ((n + 1) / LEVELS).toFixed(3) }));
  const field = svg("path", { class: "mtfl-turns" }), dots = svg("path", { class: "mtfl-ghosts mtfl-ink" });
  disk.append(title, tile, ...levels,
    svg("circle", { class: "mtfl-grid", cx: CENTRE, cy: middle, r: RADIUS }), dots, field,
    text(SIDE, 13, "across: feature 1, up: feature 2", { "text-anchor": "end" }),
    text(0, middle + RADIUS + 18, "dots: random neurons"), text(SIDE, middle + RADIUS + 18, "rim: nothing outside", { "text-anchor": "end" }));
  const at = (x, y) => `${(CENTRE + RADIUS * x).toFixed(1)} ${(middle - RADIUS * y).toFixed(1)}`;
  const corner = (x, y) => `${(CENTRE + RADIUS * x - CELL / 2).toFixed(1)} ${(middle - RADIUS * y - CELL / 2).toFixed(1)}`;
  const arrow = (x, y, dx, dy) => {
    const size = Math.hypot(dx, dy), [a, b] = [dx, dy].map((value) => (0.3 * value));
    return size < 0.004 ? "" : `M${at(x, y)}L${at(x + dx, y + dy)}M${at(x + dx - a - 0.6 * b, y + dy - b + 0.6 * a)}L${at(x + dx, y + dy)}L${at(x + dx - a + 0.6 * b, y + dy - b - 0.6 * a)}`;
  };

  // The gains
  const chart = lineChart({
    height: 236, x: { min: -1, max: 1, ticks: [-1, 0, 1], label: "slope on the negative side" }, y: { min: 0, max: 4.4, ticks: [0, 1, 2, 3, 4] },
    series: [{ name: "gain inside", colour: "blue", end: true }, { name: "outside", colour: "vermilion", end: true }, { name: "", colour: "blue mtfl-dashed" }, { name: "", colour: "vermilion mtfl-dashed" }],
  });
  const next = () => {
    const leak = SLOPES.find((slope) => slope > view.get("leak"));
    if (leak === undefined && view.get("leak") < 1) return false;
    view.set({ leak: leak ?? -1 });
    return leak !== 1 && undefined;
  };
  const play = player(view, 250, next);
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {}, disk),
      html("div", {},
        slider(view, "leak", { label: "Slope on the negative side", stops: SLOPES, say: (value) => `slope ${shown(value)}` }),
        row(play.node),
        choice(view, "tasks", { label: "Tasks", values: { all: "all", balanced: "balanced", feature: "one feature", parity: "parity" } }),
        view.picture(chart.node))),
    view.words,
    html("div", { class: "mtfl-fine" }, slider(view, "d", { label: "Dimension d", stops: DIMENSIONS })),
  );

  let seen = null;
  view.watch(["leak", "tasks", "d"], () => {
    const [leak, tasks, d] = ["leak", "tasks", "d"].map(view.get), kernel = kernelOf(tasks), scale = scaleOf(tasks);
    const { squares, turns } = fieldOf(leak, kernel), layer = layerOf(d), gains = gainsOf(leak, layer);
    const drawn = levels.map(() => "");
    squares.forEach((square, n) => {
      const level = Math.ceil((LEVELS * square) / scale.square) - 1;
      if (level >= 0) drawn[Math.min(level, LEVELS - 1)] += `M${corner(cells.V[2 * n], cells.V[2 * n + 1])}h${CELL}v${CELL}h-${CELL}z`;
    });
    levels.forEach((path, n) => path.setAttribute("d", drawn[n]));
    const size = (0.95 * SPACING) / scale.turn;
    field.setAttribute("d", Array.from(arrows.tau, (_, j) => arrow(arrows.V[2 * j], arrows.V[2 * j + 1], size * turns[2 * j], size * turns[2 * j + 1])).join(""));
    dots.setAttribute("d", Array.from(layer.tau, (_, j) => `M${at(layer.V[2 * j], layer.V[2 * j + 1])}h.01`).join(""));
    title.textContent = { all: "All sixteen tasks", balanced: "The six balanced tasks", feature: "One task: feature 1", parity: "One task: the parity" }[tasks];
    tile.replaceChildren(...(PRODUCTS[tasks] ? [quadrants(PRODUCTS[tasks], 116, 1, 17)] : []));
    const curves = curvesOf(d), lines = [0, 1].map((k) => SLOPES.map((slope, n) => [slope, curves[n][k]]));
    chart.plot([...lines.map((line, k) => [...line.filter(([slope]) => slope < leak), [leak, gains[k]]]), ...lines]);
    const name = NAMED.find(([slope]) => slope === leak), [inside, outside] = gains;
    const percent = (share) => `${(100 * share).toFixed(0)}\u00a0%`, ratio = outside > 0.005 ? `${(inside / outside).toFixed(1)} to 1` : "inside only";
    seen = { squares: [...squares], cells: [...cells.V], turns: [...turns], arrows: [...arrows.V], V: [...layer.V], inside, outside };
    view.say(`Slope ${shown(leak)}${name ? `, the ${name[1]}` : ""}: on all tasks random neurons in ${d} dimensions grow ${inside.toFixed(2)} inside the plane and ${outside.toFixed(2)} outside, ${ratio}.`
      + ` Next to a ReLU such a unit sees one feature at ${percent(1 + leak)} and the parity of two at ${percent(1 - leak)}.`
      + { all: "", balanced: " Balanced tasks have no mean, and turn neurons inward only.", feature: leak === -1 ? " The disk is empty: an even unit is blind to a feature." : " One feature pulls to both sides.", parity: leak === 1 ? " The disk is empty: a linear unit is blind to a parity." : " The parity pulls towards the diagonals." }[tasks]);
    view.report({ inside, outside });
  });
  view.inspect(() => seen);
  return view.end;
}
