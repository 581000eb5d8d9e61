/**
 * Transfer: accuracy of four representations downstream, read off a grid that the notebook measured.
 *
 * The state's `grid` has `d`, `tasks` and `examples`, increasing lists, and for "parity" and "random" the lowest, median
 * and highest accuracy over seeds of "oracle subspace", "pretrained", "single task" and "random features": an array over (d, tasks, examples, 3), flat, row-major.
 * Between grid points values are interpolated, linearly in the logarithms.
 */
import { choice, html, lineChart, openView, picture, shown, slider, svg, tasksInWords, text } from "./ui.js";

const NAMES = { "oracle subspace": "green", pretrained: "blue", "single task": "vermilion", "random features": "grey" };
const FINE = 4, WIDE = 340, ROW = 28, LOW = 0.4;

/** Values between the measured ones, FINE steps to each, in whole numbers. */
function stopsOf(axis) {
  const stops = axis.slice(0, -1).flatMap((value, k) => Array.from({ length: FINE }, (_, n) =>
    Math.round(value * (axis[k + 1] / value) ** (n / FINE))));
  return [...new Set([...stops, axis.at(-1)])];
}

/** The measured neighbours of a value and the weight of the upper one. */
function between(axis, value) {
  const above = Math.max(1, axis.findIndex((point) => point >= value)), below = above - 1;
  const share = (Math.log(value) - Math.log(axis[below])) / (Math.log(axis[above]) - Math.log(axis[below]));
  return [[below, 1 - share], [above, share]];
}

/** Lowest, median and highest at a point. */
function readOff(grid, task, name, d, tasks, examples) {
  const result = [0, 0, 0], values = grid[task][name];
  for (const [i, x] of between(grid.d, d)) {
    for (const [j, y] of between(grid.tasks, tasks)) {
      for (const [k, z] of between(grid.examples, examples)) {
        const at = ((i * grid.tasks.length + j) * grid.examples.length + k) * 3;
        for (let q = 0; q < 3; q++) result[q] += x * y * z * values[at + q];
      }
    }
  }
  return result;
}

export function render({ model, el }) {
  const view = openView({ model, el }), grid = view.get("grid"), names = Object.keys(NAMES);
  const along = (value) => 8 + ((WIDE - 16) * (Math.min(1, Math.max(LOW, value)) - LOW)) / (1 - LOW), floor = 20 + names.length * ROW;
  const bars = view.picture(picture(WIDE, floor + 34)), ticks = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
  const rows = names.map((name, n) => ({
    band: svg("path", { class: `mtfl-band mtfl-${NAMES[name]}` }), dot: svg("circle", { class: `mtfl-end mtfl-${NAMES[name]}`, r: 6, cy: 24 + n * ROW }),
    words: text(8, 12 + n * ROW, ""),
  }));
  bars.append(
    ...ticks.map((tick) => svg("path", { class: "mtfl-grid", d: `M${along(tick)} 16V${floor}` })),
    ...ticks.map((tick) => text(along(tick), floor + 14, String(tick), { "text-anchor": tick === 1 ? "end" : tick === LOW ? "start" : "middle" })),
    text(WIDE / 2, floor + 30, "test accuracy (bar: lowest to highest seed)", { "text-anchor": "middle", class: "mtfl-title" }),
    ...rows.flatMap(({ band, dot, words }) => [band, dot, words]));
  const chart = lineChart({
    height: 200, y: { min: LOW, max: 1, ticks: [0.4, 0.6, 0.8, 1] },
    x: { min: grid.d[0], max: grid.d.at(-1), ticks: grid.d, label: "input dimension d", log: true },
    series: [...names.map((name) => ({ name: name.split(" ")[0], colour: NAMES[name] })), { colour: "ink mtfl-dashed" }],
  });
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {}, bars, view.picture(chart.node)),
      html("div", {},
        slider(view, "d", { label: "Dimension d", stops: stopsOf(grid.d) }),
        slider(view, "tasks", { label: "Pretraining tasks T", stops: stopsOf(grid.tasks), say: tasksInWords }),
        slider(view, "examples", { label: "Downstream examples n", stops: stopsOf(grid.examples), say: (n) => `${shown(n)} examples` }),
        choice(view, "task", { label: "New task", values: { parity: "parity", random: "random balanced" } }))),
    view.words,
  );
  let found = null;
  view.watch(["d", "tasks", "examples", "task"], () => {
    const [d, tasks, examples, task] = ["d", "tasks", "examples", "task"].map(view.get);
    found = names.map((name) => readOff(grid, task, name, d, tasks, examples));
    rows.forEach(({ band, dot, words }, n) => {
      const [low, middle, high] = found[n];
      band.setAttribute("d", `M${along(low).toFixed(1)} ${24 + n * ROW}H${along(high).toFixed(1)}`);
      dot.setAttribute("cx", along(middle).toFixed(1));
      words.textContent = `${names[n]} ${middle.toFixed(2)}`;
    });
    const measured = grid.d.includes(d) && grid.tasks.includes(tasks) && grid.examples.includes(examples);
    const told = names.map((name, n) => `${name} ${found[n][1].toFixed(2)}`).join(", ");
    const curves = names.map((name) => grid.d.map((size) => [size, readOff(grid, task, name, size, tasks, examples)[1]]));
    chart.plot([...curves, [[d, 1], [d, LOW]]]);
    view.say(`At d = ${d}, T = ${tasks}, n = ${examples} on ${task === "parity" ? "the parity" : "random balanced tasks"}: ${told} `
      + `(${measured ? "measured" : "interpolated between measured points"}).`);
    view.report({ accuracy: found[names.indexOf("pretrained")][1] });
  });
  view.inspect(() => ({ found: Object.fromEntries(names.map((name, n) => [name, found[n]])) }));
  return view.end;
}
