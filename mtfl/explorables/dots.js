/**
 * Connect the dots: all interpolants of least norm of one, two or three tasks on eight points of a line.
 *
 * A norm is the sum over kinks of their length over tasks. In an ambiguous gap the interpolants of least norm lie between the
 * straight line and one kink; gaps next to each other are never both ambiguous, so each may be drawn by itself.
 */
import { ambiguousGaps, generator, slopeChanges } from "./engine.js";
import { button, html, openView, picture, player, remembering, resample, row, shown, slider, svg, text } from "./ui.js";

const POINTS = 8, KEYS = ["first", "second", "third"], MANY = ["no task", "one task", "two tasks", "three tasks"];
const WIDTH = 340, EDGE = 24, STRIP = 106, UNIT = 20, FOOT = 18;
const SHARES = Array.from({ length: 21 }, (_, k) => k / 20);

/** Places of the points, 0 ... 1; no gap is more than 1.6 times as wide as another. */
function spread(seed) {
  const rng = generator(seed, 4), widths = Array.from({ length: POINTS - 1 }, () => 0.8 + 0.5 * rng.uniform());
  const whole = widths.reduce((sum, width) => sum + width, 0);
  return widths.reduce((places, width) => [...places, places.at(-1) + width / whole], [0]);
}

/** The labels of a task by its number: bit i is set where point i has the label +1. */
const signs = (number) => Array.from({ length: POINTS }, (_, i) => (number >> i & 1 ? 1 : -1));

/** How likely a gap between inner points is to be ambiguous if labels are coins. */
const chance = (T) => 4 ** -T - 8 ** -T;

/** Everything about T tasks. */
function solved(T, tasks, seed) {
  const x = spread(seed).map((place) => (POINTS - 1) * place), Y = tasks.slice(0, T).flatMap(signs), changes = slopeChanges(x, Y), inner = POINTS - 2;
  const norm = Array.from({ length: inner }, (_, i) => Math.hypot(...Array.from({ length: T }, (_, t) => changes[t * inner + i])))
    .reduce((sum, size) => sum + size, 0);
  return { x, Y, norm, ...ambiguousGaps(x, Y) };
}

/** Whether all of some tasks have the labels of the first, or all the other ones. */
const copies = (tasks) => tasks.every((task) => task === tasks[0] || task === 2 ** POINTS - 1 - tasks[0]);

const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

export function render({ model, el }) {
  const view = openView({ model, el }), numbers = () => KEYS.map(view.get);
  const solve = remembering((T, first, second, third, seed) => solved(T, [first, second, third], seed));
  const now = () => solve(view.get("tasks"), ...numbers(), view.get("seed"));
  const flip = (t, i) => view.set({ [KEYS[t]]: view.get(KEYS[t]) ^ (1 << i), tasks: Math.max(t + 1, view.get("tasks")) });

  const board = view.picture(picture(WIDTH, 3 * STRIP + FOOT));
  const strips = KEYS.map((_, t) => {
    const middle = STRIP * (t + 0.5), path = (name) => svg("path", { class: name });
    const part = {
      middle, ground: svg("path", { class: "mtfl-grid", d: `M0 ${middle}H${WIDTH}` }), name: text(0, STRIP * t + 14, "", { class: "mtfl-title" }),
      area: path("mtfl-valley mtfl-green"), line: path("mtfl-line mtfl-ink mtfl-thin"), curve: path("mtfl-line mtfl-green"),
      dots: Array.from({ length: POINTS }, () => svg("circle", { r: 5.5 })),
      columns: Array.from({ length: POINTS }, (_, i) => svg("rect", { class: "mtfl-press", y: STRIP * t + 4, height: STRIP - 8, click: () => flip(t, i) })),
    };
    board.append(part.ground, part.name, part.area, part.line, part.curve, ...part.dots, ...part.columns);
    return part;
  });
  const names = Array.from({ length: POINTS }, (_, i) => text(0, 3 * STRIP + 13, String(i + 1), { "text-anchor": "middle" }));
  board.append(...names);

  const rows = KEYS.map((key, t) => {
    const boxes = Array.from({ length: POINTS }, (_, i) => html("button", { type: "button", click: () => flip(t, i) }, String(i + 1)));
    return { boxes, node: html("div", { class: "mtfl-toggles mtfl-ten", role: "group", "aria-label": `Points with the label plus in task ${t + 1}` },
      html("span", {}, `Task ${t + 1}`), ...boxes) };
  });
  const odds = html("p", { class: "mtfl-caption" });
  const go = () => {
    if (!now().gaps.length) return false;
    const share = view.get("share"), next = SHARES.find((stop) => stop > share);
    view.set({ share: next ?? 0 });
    return next !== 1 && undefined;
  };
  const coins = () => {
    const rng = generator(numbers().reduce((sum, task) => 2 ** POINTS * sum + task), 5);
    view.set(Object.fromEntries(KEYS.map((key) => [key, rng.below(2 ** POINTS)])));
  };
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {}, board),
      html("div", {},
        slider(view, "tasks", { label: "Tasks T", stops: [1, 2, 3], say: (T) => MANY[T] }),
        html("p", { class: "mtfl-caption" }, "Press a point to flip its label"),
        ...rows.map(({ node }) => node),
        row(button("Coin labels", coins), button("Three copies", () => view.set({ tasks: 3, second: view.get("first"), third: view.get("first") })), resample(view)),
        slider(view, "share", { label: "Leave the line, at the same norm", stops: SHARES, show: (share) => `${shown(100 * share)}\u00a0%`,
          off: () => (now().gaps.length ? "" : "no room"), also: ["tasks", ...KEYS, "seed"] }),
        row(player(view, 100, go).node), odds)),
    view.words,
  );

  view.watch(["tasks", ...KEYS, "share", "seed"], () => {
    const T = view.get("tasks"), tasks = numbers(), share = view.get("share"), { x, Y, norm, gaps, at, dips } = now();
    const across = (place) => EDGE + ((WIDTH - 2 * EDGE) * place) / (POINTS - 1);
    names.forEach((name, i) => name.setAttribute("x", across(x[i]).toFixed(1)));
    strips.forEach(({ middle, name, area, line, curve, dots, columns }, t) => {
      const labels = signs(tasks[t]), asked = t < T, up = (y) => (middle - UNIT * y).toFixed(1), spot = (place, y) => `${across(place).toFixed(1)} ${up(y)}`;
      const tips = gaps.map((gap, k) => { // where the kink stands, how high the line is there, and how far it is from there
        const part = (at[k] - x[gap]) / (x[gap + 1] - x[gap]);
        return [at[k], labels[gap] + part * (labels[gap + 1] - labels[gap]), dips[k * T + t]];
      });
      const straight = x.map((place, i) => spot(place, labels[i]));
      const bent = straight.flatMap((point, i) => (gaps.includes(i) ? [point, tips[gaps.indexOf(i)]].map((part) => (part === point ? part : spot(part[0], part[1] + share * part[2]))) : [point]));
      name.textContent = asked ? `Task ${t + 1}` : `Task ${t + 1}, left out`;
      area.setAttribute("d", asked ? gaps.map((gap, k) => `M${straight[gap]}L${straight[gap + 1]}L${spot(tips[k][0], tips[k][1] + tips[k][2])}Z`).join("") : "");
      line.setAttribute("d", asked ? `M${straight.join("L")}` : "");
      curve.setAttribute("d", asked ? `M${bent.join("L")}` : "");
      dots.forEach((dot, i) => {
        dot.setAttribute("cx", across(x[i]).toFixed(1));
        dot.setAttribute("cy", up(labels[i]));
        dot.setAttribute("class", `mtfl-input ${asked ? (labels[i] > 0 ? "mtfl-plus" : "mtfl-minus") : "mtfl-idle"}`);
        const [low, high] = [-1, 1].map((side) => across(x[i + side] === undefined ? x[i] + side : (x[i] + x[i + side]) / 2));
        columns[i].setAttribute("x", low.toFixed(1));
        columns[i].setAttribute("width", (high - low).toFixed(1));
        rows[t].boxes[i].setAttribute("aria-pressed", labels[i] > 0);
      });
    });
    odds.textContent = `Chance, labels by coin: 1/${4 ** T} − 1/${8 ** T} = ${shown(chance(T))}`;
    const many = MANY[T][0].toUpperCase() + MANY[T].slice(1), dip = dips.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const where = listed(gaps.map((gap) => `${gap + 1} to ${gap + 2}`)), turn = T > 1 ? "the tasks’ slopes turn in step" : "the slope turns the same way";
    view.say(gaps.length
      ? `${many}: ${gaps.length > 1 ? `the gaps ${where} are` : `the gap ${where} is`} ambiguous. There ${turn} at both ends, and the curve may leave the line by up to ${dip.toFixed(2)}, here by ${shown(100 * share)}\u00a0% of that, at the same norm ${norm.toFixed(2)}.`
        + (T > 1 && copies(tasks.slice(0, T)) ? " Copies of a task ask nothing new." : "")
      : `${many}: no gap is ambiguous. Nowhere ${T > 1 ? "do the tasks’ slopes turn in step" : "does the slope turn the same way"} at both ends of a gap, and only the straight lines have the least norm ${norm.toFixed(2)}.`);
    view.report({ gaps: gaps.length, norm });
  });
  view.inspect(() => ({ ...now(), Y: [...now().Y], chance: chance(view.get("tasks")) }));
  return view.end;
}
