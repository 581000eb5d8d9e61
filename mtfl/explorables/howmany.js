/**
 * How many tasks: the singular values of what one step on T tasks learns, against the Marchenko-Pastur edges.
 *
 * Infinitely many neurons and inputs, to leading order in |v| / tau: a neuron's part inside moves by drift + operator v
 * with v ~ N(0, I_r / d), so the singular values are those of the operator / sqrt(d) with the drift as one more row. They
 * are shown in units of the limit of infinitely many tasks. Uniform tasks come with the decay that cancels in that limit.
 */
import { generator, marchenkoPasturEdges, sampleTasks, singularValues, walshCoefficients } from "./engine.js";
import { button, choice, html, lineChart, openView, picture, player, resample, row, shown, slider, svg, tasksInWords, text } from "./ui.js";

const MOST = 1000, FROM = 0.001, TO = 100, LOST = 1e-12, WIDE = 340, TALL = 150;
const COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 700, MOST, "inf"];
const DIMENSIONS = [30, 100, 300, 1000, 3000, 10000];

/** Sums over the first T of 1000 tasks, T = 1 ... 1000, of f0 f1 (r) and of f1 f1^T + f0^2 I + (2/pi) f0 F2 (r, r). */
function sumsOf(r, law, seed) {
  const K = 2 ** r, F = sampleTasks(MOST, r, law, generator(seed, 1)), c = walshCoefficients(F, r);
  const drift = new Float64Array((MOST + 1) * r), operator = new Float64Array((MOST + 1) * r * r);
  for (let t = 0; t < MOST; t++) {
    const f = c.subarray(t * K, (t + 1) * K);
    for (let i = 0; i < r; i++) {
      drift[(t + 1) * r + i] = drift[t * r + i] + f[0] * f[1 << i];
      for (let j = 0; j < r; j++) {
        const at = (t * r + i) * r + j, even = i === j ? f[0] : (2 / Math.PI) * f[1 << i | 1 << j];
        operator[at + r * r] = operator[at] + f[1 << i] * f[1 << j] + f[0] * even;
      }
    }
  }
  return { F, drift, operator };
}

/** Singular values of the step, largest first, in units of the limit. */
function valuesAt(T, { drift, operator }, r, law, d) {
  if (T === "inf") return new Array(r).fill(1);
  const unit = law === "balanced" ? 2 ** r - 1 : 2 ** r, own = law === "balanced" ? 0 : 2 ** -r;
  return singularValues(Float64Array.from({ length: (r + 1) * r }, (_, n) => {
    const i = Math.floor(n / r), j = n % r;
    return unit * (i < r ? operator[(T * r + i) * r + j] / T - (i === j ? own : 0) : Math.sqrt(d) * drift[T * r + j] / T);
  }), r);
}

/** The smallest singular value over the largest; 0 where there is none. */
const evenness = (values) => (values[0] > 0 ? values.at(-1) / values[0] : 0);

/** What the theory says of the conditioning for large r: Marchenko-Pastur edges, and for uniform tasks the drift. */
function predicted(T, r, law, d) {
  const [low, high] = marchenkoPasturEdges(r / T), drift = law === "uniform" ? (r * (1 - 2 / 2 ** r) * d) / T : 0;
  return T > r ? low / Math.hypot(high, Math.sqrt(drift)) : 0;
}

export function render({ model, el }) {
  const view = openView({ model, el });
  let sums = null, curve = null, values = null;
  const along = (value) => 8 + ((WIDE - 16) * Math.log(Math.min(TO, Math.max(FROM, value)) / FROM)) / Math.log(TO / FROM);
  const spectrum = view.picture(picture(WIDE, TALL, { class: "mtfl-spectrum" }));
  const bulk = svg("rect", { class: "mtfl-bulk", y: 24, height: TALL - 60, rx: 3 }), sticks = svg("g", { class: "mtfl-sticks" });
  spectrum.append(bulk,
    svg("path", { class: "mtfl-grid", d: `M8 ${TALL - 36}H${WIDE - 8}` }),
    ...[0.001, 0.01, 0.1, 1, 10, 100].map((tick) => text(along(tick), TALL - 20, shown(tick), {
      "text-anchor": tick === FROM ? "start" : tick === TO ? "end" : "middle" })),
    text(WIDE / 2, TALL - 4, "singular values of the step (limit = 1)", { "text-anchor": "middle", class: "mtfl-title" }), sticks);
  const chart = lineChart({
    height: 210, x: { min: 1, max: MOST, ticks: [1, 10, 100, 1000], label: "tasks T", log: true },
    y: { min: 0, max: 1, ticks: [0, 0.5, 1] },
    series: [
      { name: "conditioning", colour: "blue" }, { name: "theory", colour: "vermilion mtfl-dashed" }, { name: "T = r", colour: "grey" },
    ],
  });
  const add = (tasks) => {
    const T = view.get("tasks");
    if (T === "inf" || T >= MOST) return false;
    view.set({ tasks: Math.min(MOST, T + tasks(T)) });
  };
  const play = player(view, 250, () => add((T) => Math.ceil(T / 20))); // one by one, then faster
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {}, spectrum, view.picture(chart.node)),
      html("div", {},
        slider(view, "tasks", { label: "Tasks T", stops: COUNTS, say: tasksInWords }),
        slider(view, "r", { label: "Features r", stops: [2, 3, 4, 5, 6, 7, 8, 9, 10], say: (r) => `${r} features` }),
        choice(view, "law", { label: "Labels", values: { balanced: "balanced", uniform: "uniform" } }),
        slider(view, "d", { label: "Dimension d", stops: DIMENSIONS, also: ["law"],
          off: () => (view.get("law") === "balanced" ? "no part: labels are balanced" : "") }),
        row(play.node, button("One more task", () => add(() => 1)), button("T = r", () => view.set({ tasks: view.get("r") })),
          resample(view)))),
    view.words,
  );

  view.watch(["tasks", "r", "law", "d", "seed"], () => {
    const [T, r, law, d, seed] = ["tasks", "r", "law", "d", "seed"].map(view.get);
    if (sums?.key !== `${r},${law},${seed}`) sums = { key: `${r},${law},${seed}`, ...sumsOf(r, law, seed) };
    if (curve?.key !== `${sums.key},${d}`) {
      const finite = COUNTS.slice(0, -1), at = (count) => valuesAt(count, sums, r, law, d);
      curve = {
        key: `${sums.key},${d}`,
        measured: finite.map((count) => [count, evenness(at(count))]),
        theory: finite.map((count) => [count, predicted(count, r, law, d)]),
      };
    }
    values = valuesAt(T, sums, r, law, d);
    const conditioning = evenness(values), theory = predicted(T, r, law, d);
    const [low, high] = T === "inf" ? [1, 1] : marchenkoPasturEdges(r / T);
    const left = along(T !== "inf" && T <= r ? FROM : low);
    bulk.setAttribute("x", (left - 2).toFixed(1));
    bulk.setAttribute("width", (along(high) - left + 4).toFixed(1));
    sticks.replaceChildren(...values.map((value) => svg("path", {
      class: value <= LOST * values[0] ? "mtfl-vermilion" : "mtfl-blue", d: `M${along(value).toFixed(1)} 30V${TALL - 36}` })));
    const measured = T === "inf" ? curve.measured : [...curve.measured.filter(([count]) => count < T), [T, conditioning]];
    chart.plot([measured, curve.theory, [[r, 1], [r, 0]]]);
    const tasks = T === "inf" ? `infinitely many ${law} tasks` : `${T} ${law} ${T === 1 ? "task" : "tasks"}`;
    const lost = values.filter((value) => value <= LOST * values[0]).length;
    const where = law === "balanced" ? "in any dimension" : `in dimension ${d.toLocaleString("en")}`;
    view.say(`One step on ${tasks} of ${r} features, ${where}: conditioning ${conditioning.toFixed(2)}`
      + (T === "inf" ? ", the limit that the curves rise to slowly." : ` in this draw; theory for many features says ${theory.toFixed(2)}.`)
      + (lost ? ` ${lost} of ${r} directions ${lost === 1 ? "is" : "are"} lost${T < r ? ": fewer tasks than features cannot show them all" : ""}.` : "")
      + (law === "uniform" && T !== "inf" && values[0] > 2 * values[1] ? " One direction, the drift, drowns the others." : ""));
    view.report({ conditioning });
  });
  view.inspect(() => ({
    F: view.get("tasks") === "inf" ? [] : [...sums.F.subarray(0, view.get("tasks") * 2 ** view.get("r"))], values: [...values], curve: curve.measured, theory: curve.theory,
  }));
  return view.end;
}
