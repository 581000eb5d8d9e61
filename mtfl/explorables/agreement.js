/**
 * Tasks are drawn one by one, as colourings of four quadrants; the task kernel beside them says how often two agree.
 */
import { generator, limitKernel, taskStream } from "./engine.js";
import { button, choice, count, html, lineChart, openView, picture, player, quadrants, quadrantTable, remembering, resample, row, slider, svg, tasksInWords, text } from "./ui.js";

const STOPS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 700, 1000];
const MOST = 1000, PAUSE = 6; // beats between two draws, alone
const WIDTH = 340, HEIGHT = 344, LARGE = 142, SMALL = 18, ROOM = 22.6, ACROSS = 15, ROWS = 6;
const CELL = 31, LEFT = WIDTH - 4 * CELL, TOP = 44;
const PAIRED = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];
const LAWS = { uniform: "uniform", balanced: "balanced", parity: "parities" };

/** A count in words. */
const told = (T, law) => `${T === "inf" ? "infinitely many" : T === 1 ? "one" : T} ${T === 1 ? (law === "parity" ? "parity" : `${law} task`) : law === "parity" ? "parities" : `${law} tasks`}`;
const percent = (kernel) => `${(50 * (1 + kernel)).toFixed(0)}\u00a0%`;

export function render({ model, el }) {
  const view = openView({ model, el });
  const board = view.picture(picture(WIDTH, HEIGHT)), latest = svg("g"), tray = svg("g"), held = text(0, HEIGHT - ROWS * ROOM - 8, "");
  const title = text(0, 12, "", { class: "mtfl-title" }), heat = quadrantTable({ x: LEFT, y: TOP, cell: CELL, name: 13, away: 18 });
  board.append(title, latest, text(WIDTH, 12, "labels agree: vermilion, differ: blue", { class: "mtfl-title", "text-anchor": "end" }),
    ...heat.nodes, held, tray);
  const chart = lineChart({
    height: 215, x: { min: 1, max: MOST, ticks: [1, 10, 100, 1000], label: "tasks T", log: true },
    y: { min: -1, max: 1, ticks: [-1, 0, 1] },
    series: [...PAIRED.map((_, n) => ({ name: n ? "" : "agreement of two quadrants", colour: "blue mtfl-thin" })),
      { name: "limit", colour: "vermilion mtfl-dashed" }],
  });
  const streamOf = remembering((law, seed) => {
    const stream = taskStream(2, law, generator(seed, 1));
    return { ...stream, curves: STOPS.map((T) => stream.kernel(T)) };
  });
  let shown = null, waited = -1; // beats at the end of a draw, alone

  const next = () => STOPS.find((T) => T > count(view.get("tasks")));
  const add = (T) => T && T <= MOST && view.set({ tasks: T });
  const go = () => {
    if (view.alone() && (waited < 0 || waited === PAUSE)) { // it begins, again
      view.set({ tasks: 1, seed: waited < 0 ? view.get("seed") : (view.get("seed") + 1) % 2 ** 32 });
      waited = 0;
    } else if (next()) view.set({ tasks: next() });
    else if (view.alone()) waited++;
    else return false;
  };
  const play = player(view, 700, go, true);
  view.add(
    html("div", { class: "mtfl-columns" },
      html("div", {}, board),
      html("div", {},
        row(play.node, button("One more task", () => add(view.get("tasks") === "inf" ? 0 : view.get("tasks") + 1)),
          resample(view)),
        slider(view, "tasks", { label: "Tasks T", stops: [...STOPS, "inf"], say: tasksInWords }),
        choice(view, "law", { label: "Labels", values: LAWS }),
        view.picture(chart.node))),
    view.words,
  );

  view.watch(["tasks", "law", "seed"], () => {
    const T = view.get("tasks"), law = view.get("law"), stream = streamOf(law, view.get("seed"));
    const kernel = stream.kernel(count(T)), limit = limitKernel(2, law), last = T === "inf" ? MOST : T;
    const F = T === "inf" ? null : stream.table(T), at = (n) => stream.table(last).subarray(4 * n, 4 * n + 4);
    heat.paint(kernel);
    title.textContent = T === "inf" ? "One of them" : `Task ${T}`;
    latest.replaceChildren(quadrants(at(last - 1), 0, 22, LARGE));
    const few = Math.min(last, ACROSS * ROWS);
    held.textContent = T === "inf" ? "Infinitely many tasks" : few < T ? `The last ${few} of ${T} tasks` : T === 1 ? "The only task so far" : `All ${T} tasks so far`;
    tray.replaceChildren(...Array.from({ length: few }, (_, n) =>
      quadrants(at(last - few + n), (n % ACROSS) * ROOM + 2, HEIGHT - ROWS * ROOM + Math.floor(n / ACROSS) * ROOM, SMALL)));
    const counts = [...STOPS.filter((stop) => stop < last), last], values = (n) => (n === last && T !== "inf" ? kernel : stream.curves[STOPS.indexOf(n)]);
    chart.plot([...PAIRED.map(([k, l]) => counts.map((n) => [n, values(n)[4 * k + l]])), [[1, limit[1]], [MOST, limit[1]]]]);
    const off = PAIRED.map(([k, l]) => kernel[4 * k + l]), low = Math.min(...off), high = Math.max(...off);
    shown = { F: F && [...F], kernel: [...kernel], low, high };
    const range = percent(low) === percent(high) ? `on ${percent(low)}` : `on ${percent(low)} to ${percent(high)}`;
    view.say(`Two different quadrants have the same label ${range} of ${told(T, law)}`
      + (T === "inf" ? "." : `; in the limit on ${percent(limit[1])}.`)
      + (law === "parity" ? " Parities of two features are the balanced tasks." : ""));
    view.report({ low, high });
  });
  view.inspect(() => shown);
  return view.end;
}
