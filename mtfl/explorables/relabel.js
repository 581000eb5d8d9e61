/**
 * Relabel the digits: ten classes painted +1 or -1, and where they lie in what one step learns from one task, or many.
 *
 * The picture is that of the step's linear half, for infinitely many neurons: the classes' means decide it.
 */
import { generator, principalPlaces, relabelledStep, relabellingKernel, relabellings, singularValues } from "./engine.js";
import { button, choice, html, openView, picture, player, resample, row, shown, slider, svg, tasksInWords, text } from "./ui.js";

const CLASSES = 10, RANK = 9, SIDE = 8, MOST = 1000, WIDTH = 330, HEIGHT = 210, LETTER = { width: 13, height: 16 }, DOT = 3.5, BLANK = 1e-12, NOTHING = 1e-5; // class means have four digits
const COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 32, 50, 64, 100, 128, 200, 300, 500, MOST, "inf"];
const EVEN = 341, SMALL = 31, ROUND = 841; // 0 2 4 6 8; 0 1 2 3 4; 0 3 6 8 9

/** The kernel of the painted task and the drawn ones after it; (10, 10). */
function kernelOf(T, task, drawn) {
  if (T === "inf") return relabellingKernel(CLASSES);
  const labelOf = (t, c) => (t ? drawn[t * CLASSES + c] : task >> c & 1 ? 1 : -1), K = new Float64Array(CLASSES ** 2);
  for (let t = 0; t < T; t++) {
    for (let n = 0; n < CLASSES ** 2; n++) K[n] += (labelOf(t, Math.floor(n / CLASSES)) * labelOf(t, n % CLASSES)) / T;
  }
  return K;
}

/** How many kinds of classes tasks with this kernel tell apart: those of one kind agree on all of them. */
function kindsOf(K) {
  const first = Array.from({ length: CLASSES }, (_, c) => Array.from({ length: CLASSES }, (_, e) => e)
    .findIndex((e) => K[c * CLASSES + e] > 1 - BLANK));
  return new Set(first).size;
}

/** The two classes whose means (10, 9) lie closest. */
function closest(means) {
  let best = { apart: Infinity };
  for (let c = 0; c < CLASSES; c++) {
    for (let e = c + 1; e < CLASSES; e++) {
      let apart = 0;
      for (let i = 0; i < RANK; i++) apart += (means[c * RANK + i] - means[e * RANK + i]) ** 2;
      if (apart < best.apart) best = { c, e, apart };
    }
  }
  return best;
}

/** How far below its place (n, 2) each letter's middle lies, so that it covers neither a letter nor a place. */
function letterShifts(points) {
  const { width, height } = LETTER, shifts = [], meet = (dx, dy, w, h) => Math.abs(dx) < w && Math.abs(dy) < h;
  for (const c of [...points.keys()].sort((a, b) => points[a][0] - points[b][0])) {
    const [x, y] = points[c], free = (shift) => y + shift > height / 2 && y + shift < HEIGHT - height / 2
      && points.every(([px, py], e) => !meet(x - px, y + shift - py, width / 2 + DOT, height / 2 + DOT)
        && !(e in shifts && meet(x - px, y + shift - py - shifts[e], width, height)));
    const steps = Array.from({ length: 2 * CLASSES }, (_, n) => (n % 2 ? 1 : -1) * (height * Math.floor(n / 2) + 14));
    shifts[c] = steps.find(free) ?? steps[0];
  }
  return shifts;
}

export function render({ model, el }) {
  const view = openView({ model, el }), digits = model.get("digits");
  let drawn = null, kernel = null, places = null, values = null;
  const flip = (c) => view.set({ task: view.get("task") ^ (1 << c) });

  const panel = view.picture(picture(330, 140, { class: "mtfl-digits" }));
  const grounds = Array.from({ length: CLASSES }, (_, c) => {
    const x = 3 + 66 * (c % 5), y = 3 + 70 * Math.floor(c / 5), cell = 7;
    const pixels = Array.from({ length: SIDE * SIDE }, (_, n) => [n, digits.images[c * SIDE * SIDE + n]])
      .filter(([, brightness]) => brightness > 3)
      .map(([n, brightness]) => svg("rect", { x: x + 2 + cell * (n % SIDE), y: y + 2 + cell * Math.floor(n / SIDE),
        width: cell, height: cell, "fill-opacity": (brightness / 100).toFixed(2) }));
    const ground = svg("rect", { class: "mtfl-ground", x, y, width: 60, height: 60, rx: 4 });
    panel.append(svg("g", { class: "mtfl-digit", click: () => flip(c) }, ground, ...pixels));
    return ground;
  });
  const boxes = grounds.map((_, c) => html("button", { type: "button", "data-class": c, click: () => flip(c) }, String(c)));
  const toggles = html("div", { class: "mtfl-toggles mtfl-ten", role: "group", "aria-label": "Digits with the label plus" }, ...boxes);

  const map = view.picture(picture(WIDTH, HEIGHT, { class: "mtfl-map" })), names = grounds.map((_, c) => ({
    stem: svg("line", {}), letter: text(0, 0, String(c), { "text-anchor": "middle" }) }));
  const spots = names.map(({ stem, letter }) => svg("g", { class: "mtfl-place" }, stem, svg("circle", { r: DOT }), letter));
  map.append(svg("path", { class: "mtfl-grid", d: `M8 ${HEIGHT / 2}H${WIDTH - 8}M${WIDTH / 2} 8V${HEIGHT - 8}` }), ...spots);
  const bars = view.picture(picture(WIDTH, 96, { class: "mtfl-bars" }));
  const columns = Array.from({ length: RANK }, (_, n) => [
    svg("rect", { class: "mtfl-bar mtfl-blue", x: 36.6 * n + 6, width: 24 }),
    text(36.6 * n + 18, 92, "", { "text-anchor": "middle" })]);
  bars.append(svg("path", { class: "mtfl-grid", d: `M0 74H${WIDTH}` }), ...columns.flat());

  const add = (tasks) => {
    const T = view.get("tasks");
    if (T === "inf" || T >= MOST) return false;
    view.set({ tasks: Math.min(MOST, T + tasks(T)) });
  };
  const play = player(view, 400, () => add((T) => Math.ceil(T / 12))); // one by one, then faster
  const paint = (label, task) => button(label, () => view.set({ task }));
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {},
        html("p", { class: "mtfl-caption" }, "Press a digit to change its label in the first task"),
        panel, toggles,
        row(paint("Even", EVEN), paint("Below 5", SMALL), paint("Round", ROUND)),
        slider(view, "tasks", { label: "Tasks T", stops: COUNTS, say: tasksInWords }),
        choice(view, "pixels", { label: "Pixels", values: { plain: "plain", whitened: "whitened" } }),
        row(play.node, button("One more task", () => add(() => 1)), resample(view))),
      html("div", {},
        html("p", { class: "mtfl-caption" }, "The ten classes in what the step learns"), map,
        html("p", { class: "mtfl-caption" }, "Singular values of the step, largest = 1"), bars)),
    view.words,
  );

  view.watch(["task", "tasks", "pixels", "seed"], () => {
    const [task, T, pixels, seed] = ["task", "tasks", "pixels", "seed"].map(view.get);
    if (drawn?.seed !== seed) drawn = { seed, F: relabellings(MOST, CLASSES, generator(seed, 1)) };
    kernel = kernelOf(T, task, drawn.F);
    const { step, means } = relabelledStep(digits[pixels], kernel, CLASSES), sizes = singularValues(step, RANK);
    const learns = sizes[0] > NOTHING;
    places = learns ? principalPlaces(means, RANK) : new Float64Array(2 * CLASSES);
    values = sizes.map((size) => (learns && size > BLANK * sizes[0] ? size / sizes[0] : 0));
    const far = [0, 1].map((axis) => Math.max(...grounds.map((_, c) => Math.abs(places[2 * c + axis]))));
    const scale = Math.min(0.45 * WIDTH / far[0], 0.42 * HEIGHT / far[1], Number.MAX_VALUE); // one for both axes
    const points = grounds.map((_, c) => [WIDTH / 2 + scale * places[2 * c], HEIGHT / 2 - scale * places[2 * c + 1]]);
    const shifts = letterShifts(points);
    names.forEach(({ stem, letter }, c) => {
      const colour = task >> c & 1 ? "mtfl-plus" : "mtfl-minus", [x, y] = points[c];
      spots[c].setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      spots[c].setAttribute("class", `mtfl-place ${colour}`);
      stem.setAttribute("y2", shifts[c]);
      letter.setAttribute("y", shifts[c] + 6);
      grounds[c].setAttribute("class", `mtfl-ground ${colour}`);
      boxes[c].setAttribute("aria-pressed", (task >> c & 1) === 1);
    });
    columns.forEach(([bar, label], n) => {
      const height = Math.max(1, 60 * values[n]);
      bar.setAttribute("y", (74 - height).toFixed(1));
      bar.setAttribute("height", height.toFixed(1));
      label.textContent = values[n] > BLANK ? values[n].toFixed(2) : "0";
    });
    const kinds = kindsOf(kernel), conditioning = values.at(-1), near = closest(means);
    const rank = values.filter((value) => value > 0).length;
    const tasks = T === "inf" ? "Infinitely many tasks tell" : T === 1 ? "1 task tells" : `${T} tasks tell`;
    view.say(`${tasks} ${kinds > 1 ? `${kinds} kinds of digits` : "no two digits"} apart. `
      + (rank ? `One step learns ${rank} of 9 directions, with conditioning ${conditioning.toFixed(2)}${rank > 2 ? ". In all of these" : ";"} ${near.c} and ${near.e} lie closest.`
        : "One step learns nothing of the classes."));
    view.report({ kinds, conditioning });
  });
  view.inspect(() => ({
    F: view.get("tasks") === "inf" ? null : [...drawn.F.subarray(0, view.get("tasks") * CLASSES)],
    kernel: [...kernel], places: [...places], values: [...values],
  }));
  return view.end;
}
