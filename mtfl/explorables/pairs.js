/**
 * Pairs of inputs pull and push a neuron: what the pseudo-contrastive loss says, for inputs of three dimensions.
 *
 * Two of the dimensions are features, which decide the labels; the third is outside. The batch is `inputs` of the state,
 * (n, 3), with every mirror image of an input, and serves the heads and the neuron both.
 */
import { batchPulls, generator, limitKernel, taskStream } from "./engine.js";
import { button, choice, count, html, openView, picture, player, quadrants, quadrantTable, remembering, resample, row, slider, svg, tasksInWords, text } from "./ui.js";

const ADDED = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500, 1000], COUNTS = [...ADDED, "inf"];
const SHOWN = 60, HELD = 5, ONWARD = 105; // alone: tasks at the end, beats that it stays there, degrees to the next neuron
const WIDTH = 400, HEIGHT = 350, CENTRE = [192, 218], UNIT = 64, PLANE = 2.2;
const AZIMUTH = (-24 * Math.PI) / 180, HEIGHT_OF_EYE = (27 * Math.PI) / 180;
const NEURON = 1.55, STEP = 2.1, CELL = 15;
const NEAR = 0.35; // of the limit of the task kernel
const BURST = 400; // ms after which a change is a move of its own
const TINY = 1e-12;

/** Where a point of three dimensions stands in the picture. */
function seen([x, y, z]) {
  const across = x * Math.cos(AZIMUTH) - y * Math.sin(AZIMUTH), away = x * Math.sin(AZIMUTH) + y * Math.cos(AZIMUTH);
  return [CENTRE[0] + UNIT * across, CENTRE[1] - UNIT * (z * Math.cos(HEIGHT_OF_EYE) + away * Math.sin(HEIGHT_OF_EYE))];
}

const spot = (point) => seen(point).map((value) => value.toFixed(1)).join(" ");
const line = (...points) => `M${points.map(spot).join("L")}`;
const scaled = (x, size) => x.map((value) => value * size);
const unit = (x) => scaled(x, 1 / (Math.hypot(...x) || 1));
const degrees = (radians) => (180 / Math.PI) * radians;

/** A line with a head of so many pixels, for a picture's path. */
function arrow(from, to, size) {
  const [x0, y0] = seen(from), [x1, y1] = seen(to), long = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [a, b] = [((x1 - x0) / long) * size, ((y1 - y0) / long) * size];
  const at = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  return `M${at(x0, y0)}L${at(x1, y1)}M${at(x1 - a - 0.6 * b, y1 - b + 0.6 * a)}L${at(x1, y1)}L${at(x1 - a + 0.6 * b, y1 - b - 0.6 * a)}`;
}

export function render({ model, el }) {
  const view = openView({ model, el }), X = view.get("inputs").map(Number), n = X.length / 3;
  const points = Array.from({ length: n }, (_, i) => X.slice(3 * i, 3 * i + 3));
  const patterns = points.map(([x, y]) => (x > 0) + 2 * (y > 0));
  const neuron = (turn, lean) => {
    const [a, b] = [turn, lean].map((value) => (value * Math.PI) / 180);
    return [Math.cos(a) * Math.cos(b), Math.sin(a) * Math.cos(b), Math.sin(b)];
  };

  // The picture, from far to near
  const plane = view.picture(picture(WIDTH, HEIGHT, { class: "mtfl-pairs" }));
  const edge = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([x, y]) => [PLANE * x, PLANE * y, 0]);
  const path = (name) => svg("path", { class: name });
  const strings = points.map((point) => svg("path", { d: line([0, 0, 0], point) }));
  const dots = points.map((point) => svg("circle", { cx: seen(point)[0].toFixed(1), cy: seen(point)[1].toFixed(1) }));
  const order = points.map((_, i) => i).sort((i, j) => depth(points[j]) - depth(points[i]));
  const trail = path("mtfl-trail mtfl-green"), shadow = path("mtfl-shadow"), drop = path("mtfl-shadow");
  const body = path("mtfl-neuron"), step = path("mtfl-sum mtfl-green"), halo = path("mtfl-halo");
  const names = { w: text(0, 0, "neuron", { class: "mtfl-title" }), g: text(0, 0, "its step", { class: "mtfl-title mtfl-strong" }) };
  const heat = quadrantTable({ x: WIDTH - 4 * CELL - 2, y: 34, cell: CELL, name: 10, away: 14 }), tiles = svg("g"), label = text(2, 12, "");
  const corner = seen([PLANE, -PLANE, 0]);
  plane.append(
    svg("path", { class: "mtfl-ground", d: `${line(...edge)}Z` }),
    svg("path", { class: "mtfl-grid", d: line([-PLANE, 0, 0], [PLANE, 0, 0]) + line([0, -PLANE, 0], [0, PLANE, 0]) }),
    text(corner[0] + 6, corner[1] + 4, "the feature plane", { class: "mtfl-title" }),
    shadow, drop, ...order.flatMap((i) => [strings[i], dots[i]]), trail, body, halo, step, names.w, names.g, label, tiles,
    text(WIDTH, 12, "Labels agree?", { "text-anchor": "end" }),
    ...[["vermilion", "pulls the neuron"], ["blue", "pushes it"], ["grey", "is not seen by it"]].flatMap(([colour, words], k) => [
      svg("circle", { class: `mtfl-input mtfl-${colour}`, cx: 6, cy: HEIGHT - 40 + 17 * k, r: 4 }), text(16, HEIGHT - 36 + 17 * k, words)]),
    ...heat.nodes,
  );

  // What the state says
  const kinds = [];
  const streamOf = remembering((law, seed) => taskStream(2, law, generator(seed, 1)));
  const tasksNow = () => streamOf(view.get("law"), view.get("seed"));
  let state = null, from = null, drawn = null, moving = false, touched = -Infinity, waited = -1; // beats at the end, alone
  const stepFor = (T, w) => batchPulls(X, patterns, tasksNow().kernel(T), w);

  const draw = (share) => {
    const mixed = (old, now) => now.map((value, k) => old[k] + share * (value - old[k]));
    drawn = { w: unit(mixed(from.w, state.w)), pulls: mixed(from.pulls, [...state.pulls]), towards: unit(mixed(from.towards, state.towards)) };
    const most = Math.max(TINY, ...drawn.pulls.map(Math.abs)), origin = [0, 0, 0];
    drawn.pulls.forEach((pull, i) => {
      const size = Math.abs(pull) / most, idle = size < 0.02, kind = idle ? "mtfl-idle" : pull > 0 ? "mtfl-vermilion" : "mtfl-blue";
      strings[i].setAttribute("stroke-width", idle ? 0 : (0.4 + 2.2 * size).toFixed(2));
      if (kind === kinds[i]) return;
      kinds[i] = kind;
      strings[i].setAttribute("class", `mtfl-string ${kind}`);
      dots[i].setAttribute("class", `mtfl-input ${kind}`);
      dots[i].setAttribute("r", idle ? 2.5 : 4);
    });
    const tip = scaled(drawn.w, NEURON), below = [tip[0], tip[1], 0], end = scaled(drawn.towards, STEP);
    body.setAttribute("d", arrow(origin, tip, 10));
    shadow.setAttribute("d", line(origin, scaled(unit(below), PLANE)));
    drop.setAttribute("d", line(tip, below));
    const pointed = arrow(origin, end, 15);
    step.setAttribute("d", pointed);
    halo.setAttribute("d", pointed);
    for (const [name, point, far] of [[names.w, tip, 14], [names.g, end, 16]]) { // beyond the arrow's point
      const [x, y] = seen(point), [a, b] = [x - CENTRE[0], y - CENTRE[1]], long = Math.hypot(a, b) || 1;
      const at = Math.max(2, Math.min(WIDTH - 52, x + (far * a) / long - (a < 0 ? 48 : 0)));
      name.setAttribute("x", at.toFixed(1));
      name.setAttribute("y", (y + (far * b) / long + 4).toFixed(1));
    }
  };

  const next = () => ADDED.find((T) => T > count(view.get("tasks")));
  const go = () => {
    const alone = view.alone(), again = waited === HELD;
    if (alone && (waited < 0 || again)) { // it begins, again with another neuron
      view.set({ tasks: 1, turn: (view.get("turn") + again * ONWARD) % 360, seed: (view.get("seed") + again) % 2 ** 32 });
      waited = 0;
    } else if (next() && !(alone && next() > SHOWN)) view.set({ tasks: next() });
    else if (alone) waited++;
    else return false;
  };
  const play = player(view, 800, go, true);
  view.add(
    html("div", { class: "mtfl-stage" },
      html("div", {}, plane),
      html("div", {},
        view.words,
        row(play.node, button("One task", () => view.set({ tasks: 1 })), resample(view)),
        slider(view, "tasks", { label: "Tasks T", stops: COUNTS, say: tasksInWords }),
        choice(view, "law", { label: "Labels", values: { balanced: "balanced", uniform: "uniform" } }),
        slider(view, "turn", { label: "Turn the neuron", stops: Array.from({ length: 24 }, (_, k) => 15 * k),
          show: (value) => `${value}°`, say: (value) => `${value} degrees` }),
        slider(view, "lean", { label: "Raise the neuron", stops: Array.from({ length: 15 }, (_, k) => 10 + 5 * k),
          show: (value) => `${value}°`, say: (value) => `${value} degrees above the plane` }))),
  );

  view.watch(["tasks", "law", "turn", "lean", "seed"], () => {
    const T = view.get("tasks"), law = view.get("law"), w = neuron(view.get("turn"), view.get("lean"));
    const stream = tasksNow(), kernel = stream.kernel(count(T)), { pulls, gradient } = batchPulls(X, patterns, kernel, w);
    const flat = Math.hypot(gradient[0], gradient[1]), length = Math.hypot(...gradient), is_still = length < TINY;
    const along = (gradient[0] * w[0] + gradient[1] * w[1]) / (flat * Math.hypot(w[0], w[1]) || 1);
    const aside = degrees(Math.acos(Math.max(-1, Math.min(1, along)))), above = degrees(Math.atan2(gradient[2], flat));
    const before = state;
    state = { w, kernel, pulls: [...pulls], gradient: [...gradient], aside, above, towards: is_still ? [0, 0, 0] : unit([...gradient]),
      F: T === "inf" ? null : [...stream.table(T)] };
    heat.paint(kernel);
    const held = T === "inf" ? 0 : T, few = Math.min(held, 8);
    label.textContent = T === "inf" ? "Infinitely many tasks" : T === 1 ? "One task: a label for each quadrant" : few < T ? `${T} tasks, the last ${few}` : `${T} tasks`;
    tiles.replaceChildren(...Array.from({ length: few }, (_, k) => quadrants(stream.table(T).subarray(4 * (held - few + k), 4 * (held - few + k) + 4), 2 + 25 * k, 20, 21)));
    const earlier = T === "inf" || T === 1 ? [] : ADDED.filter((stop) => stop <= T).map((stop) => unit([...stepFor(stop, w).gradient]));
    trail.setAttribute("d", earlier.length ? line(...earlier.map((x) => scaled(x, STEP))) : "");
    const tasks = T === "inf" ? `infinitely many ${law} tasks` : T === 1 ? `one ${law} task` : `${T} ${law} tasks`;
    const tilt = Math.abs(above).toFixed(0), height = tilt === "0" ? "in the plane" : `${tilt}° ${above < 0 ? "below" : "above"} the plane`;
    const place = `${aside.toFixed(0)}° from the neuron’s shadow, ${height}`;
    const limit = limitKernel(2, law);
    const why = T === 1 ? "Every pair counts in full: equal labels pull, different labels push."
      : Math.max(...kernel.map((value, n) => Math.abs(value - limit[n]))) > NEAR
        ? `Some quadrants agree or differ by chance${aside < 20 ? ", here without harm" : ""}.`
      : aside > 20 ? "The neuron’s shadow is small, and what is left of chance is larger."
      : law === "balanced" ? "Pairs within a quadrant pull, the others push, and the sum falls on the shadow."
      : "Pairs within a quadrant pull, the others nearly cancel: the neuron grows, and turns to its shadow.";
    view.say(is_still ? `With ${tasks} the pulls and pushes cancel: the neuron does not move.` : `With ${tasks} the step points ${place}. ${why}`);
    view.report({ aside, above });
    const burst = performance.now() - touched < BURST;
    touched = performance.now();
    if (moving) return; // the frames to come go to the new step
    if (!before || burst) {
      from = state;
      draw(1);
      return;
    }
    from = { ...drawn };
    moving = true;
    view.animate(450, (share) => {
      moving = share < 1;
      draw(share * share * (3 - 2 * share));
    });
  });
  view.inspect(() => ({ ...state, displayed: drawn.towards }));
  return view.end;
}

/** How far from the eye a point is. */
function depth([x, y, z]) {
  return (x * Math.sin(AZIMUTH) + y * Math.cos(AZIMUTH)) * Math.cos(HEIGHT_OF_EYE) - z * Math.sin(HEIGHT_OF_EYE);
}
