/**
 * The task kernel: on how many tasks two patterns agree, and how that settles as tasks are added one by one.
 */
import { generator, kernelDeviationBound, limitKernel, patternSigns, sampleTasks } from "./engine.js";
import { button, choice, heatMap, html, lineChart, openView, player, resample, row, slider, svg, tasksInWords } from "./ui.js";

const MOST = 1000, FAILURE = 0.05, CELL = 20;
const COUNTS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 700, MOST, "inf"];

/** A pattern as signs, first feature first. */
const signsOf = (k, r) => Array.from({ length: r }, (_, i) => (k >> i & 1 ? "+" : "−")).join("");

/** All T at once: the table of tasks, and the largest deviation of the kernel of the first T tasks, T = 1 ... 1000. */
function settle(r, law, seed) {
  const K = 2 ** r, F = sampleTasks(MOST, r, law, generator(seed, 1)), limit = limitKernel(r, law);
  const sum = new Float64Array(K * K), deviations = new Float64Array(MOST);
  for (let t = 0; t < MOST; t++) {
    for (let k = 0; k < K; k++) {
      for (let l = 0; l < K; l++) {
        sum[k * K + l] += F[t * K + k] * F[t * K + l];
        const away = Math.abs(sum[k * K + l] / (t + 1) - limit[k * K + l]);
        if (away > deviations[t]) deviations[t] = away;
      }
    }
  }
  return { F, limit, deviations, label: `${r},${law},${seed}` };
}

/** A number with two digits and a real minus sign. */
const signed = (value) => value.toFixed(2).replace("-", "−");

export function render({ model, el }) {
  const view = openView({ model, el });
  let drawn = null, map = null, chart = null, values = null;
  const frame = svg("rect", { class: "mtfl-frame", width: CELL - 1, height: CELL - 1, rx: 2 });
  const holder = html("div", { class: "mtfl-square" }), curve = html("div", {});

  /** The kernel of the first T tasks. */
  const kernelOf = (T) => {
    const r = view.get("r"), K = 2 ** r;
    if (T === "inf") return drawn.limit;
    const kernel = new Float64Array(K * K);
    for (let t = 0; t < T * K; t += K) {
      for (let k = 0; k < K; k++) for (let l = 0; l < K; l++) kernel[k * K + l] += drawn.F[t + k] * drawn.F[t + l];
    }
    return kernel.map((sum) => sum / T);
  };

  /** Axes and bound for another r: the heat map and the chart are made anew. */
  const furnish = (r) => {
    const K = 2 ** r;
    map = heatMap({ rows: K, columns: K, cell: CELL });
    view.picture(map.node).append(frame);
    const under = (event) => {
      const box = map.node.getBoundingClientRect();
      const place = (at, size) => Math.max(0, Math.min(K - 1, Math.floor((at / size) * K)));
      view.set({ first: place(event.clientY - box.top, box.height), second: place(event.clientX - box.left, box.width) });
    };
    map.node.addEventListener("pointermove", under);
    map.node.addEventListener("pointerdown", under);
    holder.replaceChildren(map.node);
    chart = lineChart({
      height: 210,
      x: { min: 1, max: MOST, ticks: [1, 10, 100, 1000], label: "tasks T", log: true },
      y: { min: 0.01, max: 10, ticks: [0.01, 0.1, 1, 10], log: true },
      series: [{ name: "largest deviation", colour: "blue" }, { name: "bound (95 %)", colour: "vermilion mtfl-dashed" }],
    });
    curve.replaceChildren(view.picture(chart.node));
  };

  const add = (tasks) => {
    const T = view.get("tasks");
    if (T === "inf" || T >= MOST) return false;
    view.set({ tasks: Math.min(MOST, T + tasks(T)) });
  };
  const play = player(view, 250, () => add((T) => Math.ceil(T / 20))); // one by one, then faster
  const pattern = (key, label) => slider(view, key, {
    label, stops: () => Array.from({ length: 2 ** view.get("r") }, (_, k) => k), also: ["r"],
    show: (k) => signsOf(k, view.get("r")),
    say: (k) => signsOf(k, view.get("r")).replaceAll("+", "plus ").replaceAll("−", "minus "),
  });
  const patterns = html("div", { class: "mtfl-fine" }, pattern("first", "First pattern"), pattern("second", "Second pattern"));
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {}, holder),
      html("div", {},
        slider(view, "tasks", {
          label: "Tasks T", stops: COUNTS,
          say: tasksInWords,
        }),
        choice(view, "law", { label: "Labels", values: { uniform: "uniform", balanced: "balanced" } }),
        slider(view, "r", { label: "Features r", stops: [1, 2, 3, 4] }),
        row(play.node, button("One more task", () => add(() => 1)), button("Start over", () => view.set({ tasks: 1 })),
          resample(view)),
        curve)),
    view.words,
    patterns,
  );

  view.watch(["r", "law", "seed", "tasks", "first", "second"], () => {
    const [r, law, seed, T] = ["r", "law", "seed", "tasks"].map(view.get), K = 2 ** r;
    if (map === null || map.node.viewBox.baseVal.width !== CELL * K) furnish(r);
    if (drawn?.label !== `${r},${law},${seed}`) drawn = settle(r, law, seed);
    values = kernelOf(T);
    map.paint(values);
    const last = T === "inf" ? MOST : T, first = view.get("first"), second = view.get("second");
    frame.setAttribute("x", second * CELL);
    frame.setAttribute("y", first * CELL);
    const ends = [1, MOST].map((count) => [count, kernelDeviationBound(count, r, FAILURE)]);
    const points = [];
    for (let t = 1; t <= last; t = t < 100 ? t + 1 : Math.ceil(t * 1.02)) points.push([t, Math.max(0.01, drawn.deviations[t - 1])]);
    if (points.at(-1)[0] !== last) points.push([last, Math.max(0.01, drawn.deviations[last - 1])]);
    const deviation = T === "inf" ? 0 : drawn.deviations[T - 1], bound = T === "inf" ? 0 : kernelDeviationBound(T, r, FAILURE);
    chart.plot([points, ends]);
    const value = values[first * K + second], limit = drawn.limit[first * K + second];
    const agree = Math.round(((1 + value) / 2) * (T === "inf" ? 1 : T));
    const pair = `Patterns ${signsOf(first, r)} and ${signsOf(second, r)} ` + (T === "inf"
      ? `have the kernel ${signed(limit)}.`
      : `agree on ${agree} of ${T} ${T === 1 ? "task" : "tasks"}: kernel ${signed(value)}, limit ${signed(limit)}.`);
    const tasks = T === "inf" ? `infinitely many ${law} tasks` : `${T} ${law} ${T === 1 ? "task" : "tasks"}`;
    view.say(`${pair} ` + (T === "inf"
      ? `The kernel of ${tasks} is 1 on the diagonal and ${law === "balanced" ? `${signed(-1 / (K - 1))}: different patterns repel` : "0 off it"}.`
      : `The kernel of ${tasks} on ${K} patterns is in this draw at most ${deviation.toFixed(2)} from its limit; with 95 % certainty at most ${bound.toFixed(2)}.`));
    view.report({ deviation, value });
  });
  view.inspect(() => ({
    F: view.get("tasks") === "inf" ? null : [...drawn.F.subarray(0, view.get("tasks") * 2 ** view.get("r"))],
    kernel: [...values], deviations: [...drawn.deviations], signs: [...patternSigns(view.get("r"))],
  }));
  return view.end;
}
