/**
 * The laboratory's pictures, and all of them in one file to keep: neurons in two planes, traces, the spectrum of W, the task kernel,
 * and accuracies on a new task.
 */
import { withoutTheory } from "./runs.js";
import { heatMap, html, lineChart, picture, svg, text } from "./ui.js";

const SIDE = 340, STRIP = 18, STICKS = 24, POINTS = 240, MOST_WORDS = 84;
const RUN_COLOURS = ["blue", "vermilion mtfl-other"];
export const RUN_NAMES = ["this run", "other run"];
const DRAWN_BY = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "font-size", "font-weight",
];

/** Values of a trace, no more than a chart shows. */
function thinned(values, from = 0) {
  const every = Math.max(1, Math.ceil(values.length / POINTS));
  const seen = (value, k) => Number.isFinite(value) && (k % every === 0 || k === values.length - 1);
  return values.flatMap((value, k) => (seen(value, k) ? [[k + from, Math.min(2, value)]] : [])); // what is higher leaves the chart
}

/** A picture that has a name of its own. */
function named(node, label) {
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", label);
  return node;
}

/** Which run has which colour and shape, from these places on; `show` says whether there are two. */
function runLegend(places, y) {
  const node = svg("g", {}, ...RUN_COLOURS.flatMap((colour, n) => [svg("path", { class: `mtfl-dots mtfl-${colour}`, d: `M${places[n]} ${y - 4}h.01` }), text(places[n] + 8, y, RUN_NAMES[n])]));
  return { node, show: (many) => node.setAttribute("display", many > 1 ? "inline" : "none") };
}

/** Neurons as dots; what the axes are, and how far they reach, stands in strips where no dot comes. */
function plane() {
  const node = picture(SIDE, SIDE), half = SIDE / 2 - STRIP, clouds = RUN_COLOURS.map((colour) => svg("path", { class: `mtfl-dots mtfl-${colour}` })), legend = runLegend([STRIP + 3, 262], 11);
  const scale = text(STRIP, SIDE - 4, ""), across = text(SIDE - STRIP, SIDE - 4, "", { "text-anchor": "end" }), upwards = text(SIDE / 2, 11, "", { "text-anchor": "middle" });
  node.append(svg("path", { class: "mtfl-grid", d: `M${STRIP} ${SIDE / 2}h${2 * half}M${SIDE / 2} ${STRIP}v${2 * half}` }), scale, across, upwards, legend.node, ...clouds.slice().reverse());
  const draw = (points, names) => {
    const reach = Number((1.05 * Math.max(1e-9, ...points.flat(2).map(Math.abs))).toPrecision(2)), at = (value) => (SIDE / 2 + (value * half) / reach).toFixed(1);
    clouds.forEach((cloud, n) => cloud.setAttribute("d", (points[n] ?? []).map(([x, y]) => `M${at(x)} ${at(-y)}h.01`).join("")));
    legend.show(points.length);
    scale.textContent = `both axes: −${reach} to ${reach}`;
    across.textContent = `${names[0]} →`;
    upwards.textContent = `↑ ${names[1]}`;
  };
  return { node, draw };
}

/** What is drawn by a node, as a part of another picture. */
function placed(drawing, x, y, width, height) {
  for (const [key, value] of Object.entries({ x, y, width, height })) drawing.node.setAttribute(key, value);
  return drawing;
}

function chart(what, series) {
  const { node, plot, span } = lineChart({ height: 180, x: { min: 0, max: 10, ticks: [0, 5, 10], label: "" }, y: { min: 0, max: 1, ticks: [0, 0.5, 1] }, series });
  named(node, `${what} by round, of each run, and of the theory where there is one.`);
  return { node, draw: (last, lines) => {
    const max = Math.max(10, 10 * Math.ceil(last / 10));
    span({ min: 0, max, ticks: [0, max / 2, max], label: `${what} by round` });
    plot(lines);
  } };
}

/** Singular values as sticks, the largest first. */
function sticks() {
  const node = named(picture(SIDE, 130), "Singular values of W, largest first, with a line after the first r."), floor = 108;
  const bars = RUN_COLOURS.map((colour) => svg("path", { class: `mtfl-level-line mtfl-${colour}` })), gap = svg("path", { class: "mtfl-turns mtfl-dashed" }), name = text(0, 12, ""), legend = runLegend([192, 268], 126);
  node.append(svg("path", { class: "mtfl-grid", d: `M8 ${floor}H332` }), ...bars, gap, name, legend.node, text(8, 126, "singular values (largest = 1)", { class: "mtfl-title" }));
  const draw = (spectra, { d, r, neurons }) => {
    const many = Math.min(STICKS, d, neurons), wide = 324 / many;
    bars.forEach((bar, n) => {
      const values = spectra[n], place = (k) => `M${(8 + (k + 0.35 + 0.3 * n) * wide).toFixed(1)} ${floor}V${(floor - (88 * values[k]) / values[0]).toFixed(1)}`;
      bar.setAttribute("d", values ? Array.from({ length: many }, (_, k) => place(k)).join("") : "");
    });
    legend.show(spectra.length);
    gap.setAttribute("d", `M${8 + r * wide} 16V${floor}`);
    name.setAttribute("x", Math.min(300, 13 + r * wide));
    name.textContent = `r = ${r}`;
  };
  return { node, draw };
}

/** Accuracies as bars. */
function bars() {
  const node = named(picture(SIDE, 128), "Accuracies of heads on the new task, as bars, and a line at one half.");
  const rows = ["oracle", "this run", "other run", "random features"].map((name, n) => ({
    name, words: text(8, 14 + 29 * n, ""), bar: svg("rect", { class: `mtfl-level mtfl-${["green", "blue", "vermilion", "grey"][n]}`, x: 8, y: 18 + 29 * n, height: 8, width: 0 }) }));
  const half = svg("path", { class: "mtfl-grid" }), halfName = text(174, 12, "");
  node.append(half, halfName, ...rows.flatMap(({ words, bar }) => [words, bar]));
  const draw = (found, asked) => {
    half.setAttribute("d", found ? "M170 4V124" : "");
    halfName.textContent = found ? "0.5" : "";
    rows.forEach(({ name, words, bar }, n) => {
      const value = found && [found[0].oracle, found[0].trained, found[1]?.trained, found[0].random][n];
      words.textContent = value !== undefined && value !== null ? `${name} ${value.toFixed(2)}` : !asked && n === 0 ? "Press New task: a head is fitted on its examples." : "";
      bar.setAttribute("width", (324 * (value ?? 0)).toFixed(1));
    });
  };
  return { node, draw };
}

/** The task kernel: a heat map for each number of patterns, and beside it what its colours mean. */
function kernelMap() {
  const node = named(picture(SIDE, 128), "The task kernel: for each two patterns, the share of tasks on which they agree less that on which they differ."), scale = placed(heatMap({ rows: 9, columns: 1, cell: 12 }), 152, 10, 12, 108);
  scale.paint(Array.from({ length: 9 }, (_, n) => 1 - n / 4));
  let heat = null;
  const draw = (kernel) => {
    const K = Math.sqrt(kernel.length);
    if (heat?.K !== K) {
      heat = { K, ...placed(heatMap({ rows: K, columns: K, cell: 128 / K }), 0, 0, 128, 128) };
      node.replaceChildren(heat.node, scale.node, ...["1: agree on all tasks", "0: on half of them", "−1: on none"].map((words, n) => text(172, 20 + 48 * n, words)));
    }
    heat.paint(kernel);
  };
  return { node, draw };
}

/**
 * All pictures.
 * @returns {object} their nodes by name, and `draw({ settings, runs, first, second, accuracies, asked })`: `runs` as the page keeps them,
 *   the two features to show, counted from 1, the accuracies on a new task, if there are any, and whether they are `asked` for
 */
export function openPictures() {
  const [own, other] = RUN_COLOURS.map((colour, n) => ({ name: RUN_NAMES[n], colour, end: true })), dashed = ({ colour }, name) => ({ name, colour: `${colour} mtfl-dashed` });
  const series = [other, own, { name: "theory", colour: "ink mtfl-dashed mtfl-thin" }]; // the other's lines are wider, and lie below
  const made = {
    features: plane(), directions: plane(), energy: chart("energy", series), conditioning: chart("conditioning", series),
    accuracy: chart("accuracy and loss on fresh inputs", [other, dashed(other), { ...own, name: "accuracy" }, dashed(own, "loss")]),
    spectrum: sticks(), kernel: kernelMap(), bars: bars(),
  };
  named(made.directions.node, "The same neurons, by the two leading right singular vectors of W.");
  const draw = ({ settings, runs, first, second, accuracies, asked }) => {
    const { r } = settings, seen = runs.filter(({ look }) => look), last = Math.max(...runs.map(({ energy }) => energy.length - 1)), k = Math.min(first, r), l = Math.min(second, r);
    const pairs = (values, wide, x, y) => Array.from({ length: values.length / wide }, (_, j) => [values[j * wide + x], y < wide ? values[j * wide + y] : 0]);
    made.features.draw(seen.map(({ look: { V } }) => pairs(V, r, k - 1, r > 1 ? l - 1 : 1)), [`feature ${k}`, r > 1 ? `feature ${l}` : "one feature only"]);
    made.directions.draw(seen.map(({ look: { found } }) => pairs(found, 2, 0, 1)), ["its first direction", "its second"]);
    const of = (what, from) => [1, 0].map((n) => (runs[n] ? thinned(runs[n][what], from) : null)), predicted = !withoutTheory(settings);
    for (const what of ["energy", "conditioning"]) made[what].draw(last, [...of(what), predicted ? thinned(runs[0].theory[what]) : null]);
    const accuracy = of("accuracy", 1), loss = of("loss", 1);
    made.accuracy.draw(last, accuracy.flatMap((values, n) => [values, loss[n]]));
    made.spectrum.draw(seen.map(({ look }) => look.values), settings);
    if (seen[0]) made.kernel.draw(seen[0].look.kernel);
    made.bars.draw(accuracies, asked);
  };
  return { ...Object.fromEntries(Object.entries(made).map(([name, { node }]) => [name, node])), draw };
}

/** A picture with what the style sheet says of it. Colours are those that it has now. */
function styledCopy(node) {
  const copy = node.cloneNode(true), copies = [copy, ...copy.querySelectorAll("*")];
  [node, ...node.querySelectorAll("*")].forEach((original, n) => {
    const style = getComputedStyle(original);
    copies[n].removeAttribute("class");
    for (const name of DRAWN_BY) copies[n].setAttribute(name, style.getPropertyValue(name));
  });
  return copy;
}

/**
 * One drawing of several pictures, two in a row, in the colours of a light page.
 * @param {Element} el the figure
 * @param {[string, SVGElement][]} parts pictures and what stands above them
 * @param {string} told the sentence below
 * @param {string} state a description that is not seen
 * @returns {string} an SVG file
 */
export function asSvg(el, parts, told, state) {
  el.classList.add("mtfl-light");
  const copies = parts.map(([title, node]) => [title, styledCopy(node), node.viewBox.baseVal]), font = getComputedStyle(el).fontFamily;
  el.classList.remove("mtfl-light");
  const nodes = [], lines = [""], gap = 24, left = (n) => gap + (n % 2) * (SIDE + gap), line = (x, y, words) => text(x, y, words, { "font-size": 14 });
  let top = gap, high = 0;
  copies.forEach(([title, copy, { width, height }], n) => {
    if (n % 2 === 0) [top, high] = [top + high, 0];
    for (const [key, value] of Object.entries({ x: left(n), y: top + 22, width, height })) copy.setAttribute(key, value);
    nodes.push(line(left(n), top + 12, title), copy);
    high = Math.max(high, height + 22 + gap);
  });
  for (const word of told.split(" ")) {
    if (lines.at(-1).length + word.length > MOST_WORDS) lines.push("");
    lines.push(`${lines.pop()} ${word}`.trim());
  }
  const width = 2 * SIDE + 3 * gap, height = top + high + 20 * lines.length + gap;
  nodes.push(...lines.map((words, n) => line(gap, top + high + 20 * n, words)));
  const all = picture(width, height, { width, height, "font-family": font, fill: "#1f2328" });
  all.append(svg("title", {}, "Laboratory"), svg("desc", {}, state), svg("rect", { width, height, fill: "#ffffff" }), ...nodes);
  return new XMLSerializer().serializeToString(all);
}

/** Hand the reader a file that the page has made. */
export function handOver(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type })), link = html("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
