/**
 * The laboratory's pictures, and all of them in one file to keep: neurons in two planes, traces, the spectrum of W, the task kernel,
 * and accuracies on a new task.
 */
import { withoutTheory } from "./runs.js";
import { heatMap, html, lineChart, picture, svg, text } from "./ui.js";

const SIDE = 340, STRIP = 18, STICKS = 24, POINTS = 240, MOST_WORDS = 84;
const RUN_COLOURS = ["blue", "vermilion"];
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

/** Neurons as dots; what the axes are stands in strips where no dot comes. */
function plane() {
  const node = picture(SIDE, SIDE), half = SIDE / 2 - STRIP, clouds = RUN_COLOURS.map((colour) => svg("path", { class: `mtfl-dots mtfl-${colour}` }));
  const across = text(SIDE - STRIP, SIDE - 4, "", { "text-anchor": "end" }), upwards = text(SIDE / 2, 11, "", { "text-anchor": "middle" });
  node.append(svg("path", { class: "mtfl-grid", d: `M${STRIP} ${SIDE / 2}h${2 * half}M${SIDE / 2} ${STRIP}v${2 * half}` }), across, upwards, ...clouds.slice().reverse());
  const draw = (points, names) => {
    const reach = 1.02 * Math.max(1e-9, ...points.flat(2).map(Math.abs)), at = (value) => (SIDE / 2 + (value * half) / reach).toFixed(1);
    clouds.forEach((cloud, n) => cloud.setAttribute("d", (points[n] ?? []).map(([x, y]) => `M${at(x)} ${at(-y)}h.01`).join("")));
    across.textContent = `${names[0]} →`;
    upwards.textContent = `↑ ${names[1]}`;
  };
  return { node, draw };
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
  const bars = RUN_COLOURS.map((colour) => svg("path", { class: `mtfl-level-line mtfl-${colour}` })), gap = svg("path", { class: "mtfl-turns mtfl-dashed" }), name = text(0, 12, "");
  node.append(svg("path", { class: "mtfl-grid", d: `M8 ${floor}H332` }), ...bars, gap, name,
    text(170, 126, "singular values of W (largest = 1)", { "text-anchor": "middle", class: "mtfl-title" }));
  const draw = (spectra, { d, r, neurons }) => {
    const many = Math.min(STICKS, d, neurons), wide = 324 / many;
    bars.forEach((bar, n) => {
      const values = spectra[n], place = (k) => `M${(8 + (k + 0.35 + 0.3 * n) * wide).toFixed(1)} ${floor}V${(floor - (88 * values[k]) / values[0]).toFixed(1)}`;
      bar.setAttribute("d", values ? Array.from({ length: many }, (_, k) => place(k)).join("") : "");
    });
    gap.setAttribute("d", `M${8 + r * wide} 16V${floor}`);
    name.setAttribute("x", 13 + r * wide);
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

/** The task kernel, in a box of its own: a heat map for each number of patterns. */
function kernelMap() {
  const node = html("div", { class: "mtfl-kernel" });
  let heat = null;
  const draw = (kernel) => {
    const K = Math.sqrt(kernel.length);
    if (heat?.K !== K) {
      heat = { K, ...heatMap({ rows: K, columns: K, cell: 128 / K }) };
      node.replaceChildren(named(heat.node, "The task kernel: for each two patterns, the share of tasks on which they agree less that on which they differ."));
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
  const both = RUN_COLOURS.map((colour, n) => ({ name: RUN_NAMES[n], colour, end: true })), series = [...both, { name: "theory", colour: "ink mtfl-dashed mtfl-thin" }];
  const made = {
    features: plane(), directions: plane(), energy: chart("energy", series), conditioning: chart("conditioning", series),
    accuracy: chart("accuracy and loss on fresh inputs", [
      { name: "accuracy", colour: "blue", end: true }, { colour: "vermilion", end: true }, { name: "loss", colour: "blue mtfl-dashed" }, { colour: "vermilion mtfl-dashed" }]),
    spectrum: sticks(), kernel: kernelMap(), bars: bars(),
  };
  named(made.directions.node, "The same neurons, by the two leading right singular vectors of W.");
  const draw = ({ settings, runs, first, second, accuracies, asked }) => {
    const { r } = settings, seen = runs.filter(({ look }) => look), last = Math.max(...runs.map(({ energy }) => energy.length - 1)), k = Math.min(first, r), l = Math.min(second, r);
    const pairs = (values, wide, x, y) => Array.from({ length: values.length / wide }, (_, j) => [values[j * wide + x], y < wide ? values[j * wide + y] : 0]);
    made.features.draw(seen.map(({ look: { V } }) => pairs(V, r, k - 1, r > 1 ? l - 1 : 1)), [`feature ${k}`, r > 1 ? `feature ${l}` : "one feature only"]);
    made.directions.draw(seen.map(({ look: { found } }) => pairs(found, 2, 0, 1)), ["its first direction", "its second"]);
    const of = (what, from) => [0, 1].map((n) => (runs[n] ? thinned(runs[n][what], from) : null)), predicted = !withoutTheory(settings);
    for (const what of ["energy", "conditioning"]) made[what].draw(last, [...of(what), predicted ? thinned(runs[0].theory[what]) : null]);
    made.accuracy.draw(last, [...of("accuracy", 1), ...of("loss", 1)]);
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
