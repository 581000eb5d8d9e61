/**
 * Neurons in the plane: r = 2 features, and what the exact population step makes of random neurons.
 *
 * A round is the population step of heads that start at zero again and take one small step, so that the weight decay
 * that cancels the growth outside the subspace is the same in each round. All positions are in units of the neurons'
 * root mean square length: the squared axes of the ellipse (root mean squares of the cloud along its principal
 * directions) add up to the energy, and their ratio is the conditioning.
 *
 * The tasks are one draw. After the first round a dashed ellipse shows the median conditioning over fifty other draws.
 */
import {
  generator, limitKernel, moved, patternMoments, patternSigns, randomNeurons, recovery, stepOfMoments, taskStream,
} from "./engine.js";
import { button, choice, count, html, lineChart, openView, picture, player, remembering, resample, row, shown, slider, svg, tasksInWords, text } from "./ui.js";

const FEATURES = 2, NEURONS = 150, ROUNDS = 20, DRAWS = 50;
const PULLED = 0.5; // of the neurons' root mean square inside the plane, in their mean
const TASKS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500, 700, 1000, "inf"];
const DIMENSIONS = [3, 5, 10, 20, 30, 50, 100, 200, 500, 1000];
const DECAYS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2];
const STEPS = [1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100];
const CANCELLING = 1 / (2 * Math.PI * 2 ** FEATURES); // growth outside the plane under infinitely many uniform tasks
const PAIRS = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]; // of the four patterns
const WIDTH = 340, TOP = 40, HEIGHT = 290, BAR = TOP + HEIGHT + 12;
const COLOURS = ["purple", "blue", "green", "vermilion"]; // of the quadrants in which neurons start

/** A layer in units of its root mean square length: positions (m, 2), their reach and shift, energy, conditioning. */
function frameOf(neurons) {
  const { V, tau } = neurons;
  const square = V.reduce((sum, x) => sum + x * x, 0) + tau.reduce((sum, x) => sum + x * x, 0);
  const at = V.map((x) => x / Math.sqrt(square / tau.length));
  const reach = at.reduce((most, x, n) => (n % 2 ? most : Math.max(most, Math.hypot(x, at[n + 1]))), 0);
  const mean = [0, 1].map((i) => at.reduce((sum, x, n) => (n % 2 === i ? sum + x / tau.length : sum), 0));
  const shift = Math.hypot(...mean) / Math.sqrt(at.reduce((sum, x) => sum + x * x, 0) / tau.length);
  return { neurons, at, reach, shift, ...recovery(neurons) };
}

/** Means of x x', y y' and (x y' + y x') / 2 over the points (x, y) of one cloud and (x', y') of another. */
function momentsOf(one, other = one) {
  let xx = 0, yy = 0, xy = 0;
  for (let n = 0; n < one.length; n += 2) {
    xx += one[n] * other[n];
    yy += one[n + 1] * other[n + 1];
    xy += (one[n] * other[n + 1] + one[n + 1] * other[n]) / 2;
  }
  return [xx, yy, xy].map((sum) => sum / (one.length / 2));
}

/** Axes and angle of a cloud: roots of its second moments. */
function axesOf([xx, yy, xy]) {
  const middle = (xx + yy) / 2, spread = Math.hypot((xx - yy) / 2, xy);
  return [Math.sqrt(middle + spread), Math.sqrt(Math.max(0, middle - spread)), Math.atan2(2 * xy, xx - yy) / 2];
}

export function render({ model, el }) {
  const view = openView({ model, el });

  // What the state says
  const layer = remembering((d, seed) => {
    const frame = frameOf(randomNeurons(NEURONS, FEATURES, d, generator(seed, 0)));
    return { frame, moments: patternMoments(frame.neurons.V, frame.neurons.tau) };
  });
  const streamOf = remembering((law, seed) => taskStream(FEATURES, law, generator(seed, 1)));
  // Positions after a step are a sum of these clouds, with weights linear in the kernel; so their moments are quadratic.
  const partsOf = remembering((d, seed) => {
    const { frame, moments } = layer(d, seed), K = 2 ** FEATURES;
    const learns = (...cells) =>
      stepOfMoments(moments, Float64Array.from({ length: K * K }, (_, n) => Number(cells.includes(n)))).parallel;
    const diagonal = Array.from({ length: K }, (_, k) => k * (K + 1));
    const parts = [frame.neurons.V, learns(...diagonal), ...PAIRS.map(([k, l]) => learns(k * K + l, l * K + k))];
    return parts.map((one) => parts.map((other) => momentsOf(one, other)));
  });
  const drawsOf = remembering((law) =>
    Array.from({ length: DRAWS }, (_, n) => taskStream(FEATURES, law, generator(n, 2))));
  const runOf = remembering((tasks, law, d, decay, stepSize, seed) => {
    const { frame, moments } = layer(d, seed);
    const T = count(tasks), kernel = streamOf(law, seed).kernel(T), frames = [frame];
    const at = (round) => {
      while (frames.length <= round) {
        const { V, tau } = frames.at(-1).neurons;
        const step = stepOfMoments(frames.length > 1 ? patternMoments(V, tau) : moments, kernel);
        frames.push(frameOf(moved({ V, tau }, step, stepSize, decay * CANCELLING)));
      }
      return frames[round];
    };
    const typical = () => {
      if (T === Infinity) return null;
      const parts = partsOf(d, seed), all = drawsOf(law).map((draw) => {
        const kernel = draw.kernel(T), sum = [0, 0, 0], kept = 1 - stepSize * decay * CANCELLING;
        const weights = [kept, stepSize, ...PAIRS.map(([k, l]) => stepSize * kernel[k * 2 ** FEATURES + l])];
        weights.forEach((a, i) => weights.forEach((b, j) => parts[i][j].forEach((moment, n) => (sum[n] += a * b * moment))));
        const [long, short] = axesOf(sum);
        return short / long;
      }).sort((a, b) => a - b);
      return (all[DRAWS / 2 - 1] + all[DRAWS / 2]) / 2;
    };
    return { at, T, kernel, typical: typical(), F: T === Infinity ? null : Float64Array.from(streamOf(law, seed).table(T)) };
  });

  // The plane, the tasks above it and the bar of energy below
  const plane = view.picture(picture(WIDTH, BAR + 40));
  const label = text(0, 11, ""), tiles = svg("g", { class: "mtfl-tiles" });
  const ghosts = svg("path", { class: "mtfl-ghosts" });
  const spokes = COLOURS.map((colour) => svg("path", { class: `mtfl-spokes mtfl-${colour}` }));
  const dots = COLOURS.map((colour) => svg("path", { class: `mtfl-dots mtfl-${colour}` }));
  const ellipse = svg("ellipse", { class: "mtfl-ellipse" });
  const dashed = svg("ellipse", { class: "mtfl-ellipse mtfl-dashed" });
  const others = svg("g", {},
    dashed, text(WIDTH, TOP + HEIGHT - 18, `dashed: median of ${DRAWS} draws`, { "text-anchor": "end" }));
  const inside = svg("rect", { class: "mtfl-inside", x: 0, y: BAR, height: 10, rx: 2 });
  const percent = text(0, BAR + 26, "", { class: "mtfl-title" });
  const middle = TOP + HEIGHT / 2;
  plane.append(
    label, tiles,
    svg("path", { class: "mtfl-grid", d: `M0 ${middle}H${WIDTH}M${WIDTH / 2} ${TOP}V${TOP + HEIGHT}` }),
    text(WIDTH, middle - 5, "feature 1", { "text-anchor": "end" }), text(WIDTH / 2 + 6, TOP + 10, "feature 2"),
    text(0, TOP + HEIGHT - 4, "small dots: before training"),
    text(WIDTH, TOP + HEIGHT - 4, "ellipse: root mean squares", { "text-anchor": "end" }),
    ghosts, ...spokes, ...dots, ellipse, others,
    svg("rect", { class: "mtfl-outside", x: 0, y: BAR, width: WIDTH, height: 10, rx: 2 }), inside, percent,
    text(WIDTH, BAR + 26, "outside", { "text-anchor": "end" }),
  );

  const signs = patternSigns(FEATURES);
  const drawTasks = ({ T, F }) => {
    const law = view.get("law"), K = 2 ** FEATURES;
    if (T === Infinity) {
      const all = Array.from({ length: 2 ** K }, (_, n) => Array.from({ length: K }, (_, k) => ((n >> k) & 1 ? 1 : -1)));
      F = all.filter((f) => law === "uniform" || f.reduce((sum, value) => sum + value) === 0).flat();
    }
    const held = F.length / K, few = Math.min(held, 16);
    label.textContent = T === Infinity
      ? `All ${held} ${law === "uniform" ? "" : "balanced "}tasks, equally often`
      : T === 1 ? "The task: its label in each quadrant" : few < T ? `${few} of the ${T} tasks` : `The ${T} tasks`;
    tiles.replaceChildren(...Array.from({ length: few * K }, (_, n) => svg("rect", {
      class: `mtfl-tile ${F[n] > 0 ? "mtfl-plus" : "mtfl-minus"}`, width: 7, height: 7,
      x: Math.floor(n / K) * 21 + (signs[2 * (n % K)] > 0 ? 9 : 0.5), y: signs[2 * (n % K) + 1] > 0 ? 17.5 : 26,
    })));
  };

  let run = null, target = null, from = null, extent = 1, moving = false, touched = -Infinity;
  const displayed = new Float64Array(2 * NEURONS);
  const typical = () => (target === run.at(1) ? run.typical : null);

  /** Draw the neurons a share of the way from where they were to where they are. */
  const drawNeurons = (share) => {
    const start = layer(view.get("d"), view.get("seed")).frame.at;
    extent += share * (Math.max(0.3, 1.06 * target.reach) - extent);
    const scale = HEIGHT / 2 / extent, x = (value) => (WIDTH / 2 + scale * value).toFixed(1);
    const y = (value) => (middle - scale * value).toFixed(1);
    const lines = ["", "", "", ""], points = ["", "", "", ""];
    let old = "";
    for (let n = 0; n < displayed.length; n += 2) {
      displayed[n] = from[n] + share * (target.at[n] - from[n]);
      displayed[n + 1] = from[n + 1] + share * (target.at[n + 1] - from[n + 1]);
      const quadrant = (start[n] > 0) + 2 * (start[n + 1] > 0), place = `${x(displayed[n])} ${y(displayed[n + 1])}`;
      lines[quadrant] += `M${WIDTH / 2} ${middle}L${place}`;
      points[quadrant] += `M${place}h.01`;
      old += `M${x(start[n])} ${y(start[n + 1])}h.01`;
    }
    COLOURS.forEach((_, q) => {
      spokes[q].setAttribute("d", lines[q]);
      dots[q].setAttribute("d", points[q]);
    });
    ghosts.setAttribute("d", old);
    const [long, short, angle] = axesOf(momentsOf(displayed));
    const even = typical() ?? 0, size = Math.hypot(long, short) / Math.hypot(1, even);
    others.setAttribute("visibility", typical() === null ? "hidden" : "visible");
    for (const [node, rx, ry] of [[ellipse, long, short], [dashed, size, even * size]]) {
      node.setAttribute("rx", (scale * rx).toFixed(2));
      node.setAttribute("ry", (scale * ry).toFixed(2));
      node.setAttribute("transform", `translate(${WIDTH / 2} ${middle}) rotate(${((-180 / Math.PI) * angle).toFixed(2)})`);
    }
  };

  // Traces
  const roundsShown = (round) => {
    const max = Math.max(10, 10 * Math.ceil(round / 10));
    return { min: 0, max, ticks: [0, max / 2, max], label: "round" };
  };
  const chart = lineChart({
    height: 220, x: roundsShown(0), y: { min: 0, max: 1, ticks: [0, 0.5, 1] },
    series: [{ name: "energy", colour: "ink", end: true }, { name: "conditioning", colour: "ink mtfl-dashed", end: true }],
  });

  const counted = (one, many) => (n) => (n === "inf" ? `infinitely many ${many}` : n === 1 ? `one ${one}` : `${n} ${many}`);

  /** Say in words what is seen. */
  const describe = ({ energy, conditioning, shift }, round) => {
    const T = view.get("tasks"), law = view.get("law");
    const tasks = counted(`${law} task`, `${law} tasks`)(T);
    const numbers = `conditioning ${conditioning.toFixed(2)}, energy ${energy.toFixed(2)}`;
    if (round === 0) return `Before training the neurons point everywhere: ${numbers}.`;
    const start = run.at(0), same = Math.abs(energy - start.energy) + Math.abs(conditioning - start.conditioning) < 0.1;
    const shape = shift > PULLED ? "are pulled to one side" : same ? "stay as they were" : conditioning < 0.25 ? "fall onto a line"
      : conditioning < 0.6 ? "stretch in one direction" : "spread over both features";
    const draw = typical() === null ? "" : ` This is one draw of tasks; the median conditioning of ${DRAWS} is ${typical().toFixed(2)}.`;
    return `After ${counted("round", "rounds")(round)} on ${tasks} the neurons ${shape}: ${numbers}.${draw}`;
  };

  // Controls
  const restart = (key) => (value) => ({ [key]: value, rounds: 1 });
  const next = () => {
    if (view.get("rounds") >= ROUNDS) return false;
    view.set({ rounds: view.get("rounds") + 1 });
  };
  const play = player(view, 450, next);
  const controls = html("div", {},
    slider(view, "tasks", { label: "Tasks T", stops: TASKS, say: tasksInWords, move: restart("tasks") }),
    choice(view, "law", { label: "Labels", values: { uniform: "uniform", balanced: "balanced" }, move: restart("law") }),
    slider(view, "rounds", { label: "Round", stops: Array.from({ length: ROUNDS + 1 }, (_, n) => n) }),
    row(
      play.node,
      button("Step", next),
      button("Restart", () => view.set({ rounds: 0 })),
      resample(view, () => ({ rounds: Math.max(1, view.get("rounds")) })),
    ),
    chart.node,
  );
  view.add(
    html("div", { class: "mtfl-columns" }, html("div", {}, plane, view.words), controls),
    html("div", { class: "mtfl-fine" },
      slider(view, "d", { label: "Dimension d", stops: DIMENSIONS, move: restart("d") }),
      slider(view, "step_size", { label: "Step size", stops: STEPS, move: restart("step_size") }),
      slider(view, "decay", { label: "Weight decay", stops: DECAYS, show: (value) => `${shown(value)} λ*`,
        say: (value) => `${shown(value)} of the cancelling decay`, move: restart("decay") })),
  );

  const keys = ["tasks", "law", "d", "decay", "step_size", "seed"];
  view.watch([...keys, "rounds"], () => {
    const before = run, now = performance.now(), round = Math.min(view.get("rounds"), ROUNDS);
    run = runOf(...keys.map(view.get));
    target = run.at(round);
    const changed = run !== before, burst = changed && now - touched < 400;
    if (changed) {
      if (before) touched = now;
      drawTasks(run);
    }
    if (changed && before && round <= 1) play.pause();
    inside.setAttribute("width", (WIDTH * target.energy).toFixed(1));
    percent.textContent = `energy ${(100 * target.energy).toFixed(0)} % inside the plane`;
    chart.span(roundsShown(round));
    const traces = ["energy", "conditioning"].map((name) => Array.from({ length: round + 1 }, (_, k) => [k, run.at(k)[name]]));
    chart.plot(traces);
    chart.node.setAttribute("aria-label", `Energy and conditioning by round, up to round ${round}.`);
    view.say(describe(target, round));
    view.report({ energy: target.energy, conditioning: target.conditioning });
    if (moving && changed) return; // the frames to come go to the new target
    if (!before || burst) {
      from = target.at;
      drawNeurons(1);
      return;
    }
    from = changed ? run.at(0).at : Float64Array.from(displayed);
    moving = true;
    view.animate(changed ? 900 : 350, (share) => {
      moving = share < 1;
      drawNeurons(share * share * (3 - 2 * share));
    });
  });
  view.inspect(() => ({
    V: [...target.neurons.V], tau: [...target.neurons.tau], energy: target.energy, conditioning: target.conditioning,
    shift: target.shift, typical: typical(),
    others: typical() && drawsOf(view.get("law")).map((draw) => [...draw.kernel(run.T)]), startV: [...run.at(0).neurons.V], startTau: [...run.at(0).neurons.tau], kernel: [...run.kernel],
    F: run.F && [...run.F], displayed: [...displayed],
  }));
  return view.end;
}
