/**
 * The laboratory: the network itself in training, on batches that the page draws, in a worker.
 *
 * The state says what is trained and for how many rounds; the worker trains so far, and what it tells is drawn. While it plays,
 * the rounds of the state follow the worker.
 */
import { MOST_PAINTED, MOST_PAINTED_FEATURES, keptBack, openRun, openWorker, tasksOf, withoutTheory } from "./runs.js";
import { RUN_NAMES, asSvg, handOver, openPictures } from "./laboratory_pictures.js";
import { openSteps, openTour } from "./laboratory_steps.js";
import { button, html, openView, row, shown, slider, tasksInWords } from "./ui.js";

const MOST_ROUNDS = 2000, MOST_INPUTS = 65536, MOST_HELD = 1.5e6, AT_ONCE = 20_000, TELL = 150; // ms at rest before Python hears of weights
const LAW_NAMES = { uniform: "uniform (coins)", balanced: "balanced", parity: "parities", junta: "juntas of two features", threshold: "thresholds", painted: "painted by you" };
const LAW_TASKS = { uniform: "uniform ", balanced: "balanced ", parity: "parity ", junta: "junta ", threshold: "threshold ", painted: "painted " };
const SPEEDS = { 5: "5 a second", 20: "20 a second", 100: "100 a second", fast: "full speed" };
const PLANES = ["Neurons, by two of the hidden features", "Neurons, by W’s two main directions"], SPECTRUM = "The spectrum of W", KERNEL = "The task kernel";
const NEW_TASKS = { parity: "the parity of all features", majority: "the majority of all features", another: "another task of this kind", painted: "the task you painted" };
const WHAT_RUNS = [
  "d", "r", "neurons", "tasks", "law", "inputs", "batch", "batches", "activation", "loss", "heads", "head_step", "head_steps", "penalty", "rule", "step", "rate",
  "decay", "labels", "flips", "against", "new_task", "seed", ...Array.from({ length: MOST_PAINTED }, (_, t) => `paint_${t + 1}`),
];

/** So many tasks that take the same step of W together, each a longer or a shorter one. */
const together = (T) => ({ tasks, step }) => ({ tasks: T, step: (step * tasks) / T });

/** What the second run does otherwise, and why it cannot be had, or would be the same. */
const OTHERWISE = Object.fromEntries(Object.entries({
  "nothing": [null],
  "one task": [together(1), ({ tasks }) => tasks === 1 && "there is one"],
  "one task with all the inputs": [
    (state) => ({ ...together(1)(state), batch: state.tasks * state.batch }),
    ({ tasks, batch }) => (tasks === 1 ? "there is one" : tasks * batch > MOST_INPUTS && `more than ${shown(MOST_INPUTS)} inputs`)],
  "as many tasks as features": [(state) => together(state.r)(state), ({ tasks, r }) => tasks === r && "there are as many"],
  "four times the inputs": [({ batch }) => ({ batch: 4 * batch }), () => false],
  "opposite labels": [{ opposite: true }, ({ tasks }) => tasks === 1 && "every second task has them"],
  "uniform labels": [{ law: "uniform" }, ({ law }) => law === "uniform" && "they are"],
  "uniform labels with decay": [ // which cancels what they add along every neuron in the first step
    ({ r, head_step: step, head_steps: steps, loss, flips }) => ({
      law: "uniform", decay: ((loss === "hinge" ? 1 : 0.25) * step * steps * (1 - 2 * flips) ** 2) / (2 * Math.PI * 2 ** r) }),
    (state) => {
      const reason = withoutTheory(state) || (state.labels === "centred" && "centred labels");
      return reason ? `none cancels with ${reason}` : state.law === "uniform" && "they are uniform";
    }],
  "centred labels": [{ labels: "centred" }, ({ labels }) => labels === "centred" && "they are"],
  "coloured inputs": [{ inputs: "coloured" }, ({ inputs }) => inputs === "coloured" && "they are"],
  "ridge heads": [{ heads: "ridge" }, ({ heads, batches }) => (heads === "ridge" ? "they are" : batches === "per-task" && "tasks must share inputs")],
  "a linear layer": [{ activation: "identity" }, ({ activation }) => activation === "identity" && "it is"],
  "flipped labels": [{ flips: 0.3 }, ({ flips }) => flips === 0.3 && "they are"],
  "weight decay": [{ decay: 0.01 }, ({ decay }) => decay === 0.01 && "it is there"],
  "Adam": [{ rule: "Adam" }, ({ rule }) => rule === "Adam" && "it is"],
}).map(([name, [change, off]]) => [name, [change, change && ((state) => off(state) || tooLarge(state, changed(state, change)))]]));

/** Numbers that a run keeps of a batch for several steps of the heads. */
function numbersHeld({ neurons: m, tasks, batch, batches, heads, head_steps: steps }) {
  return heads === "ridge" || steps === 1 ? 0 : batch * (m + (batches === "per-task" ? 1 : tasks));
}

/** Why a second run cannot keep a batch beside the first's. */
function tooLarge(first, second) {
  const more = numbersHeld(second);
  return more > 0 && numbersHeld(first) + more > MOST_HELD && "two batches too large to be kept";
}

function changed(state, change) {
  return { ...state, law_asked: state.law, ...(typeof change === "function" ? change(state) : change) };
}

/** The settings that can be had together, and in words what was changed for it. */
export function possible(state) {
  const kept = { ...state }, notes = [];
  if (kept.law === "painted" && kept.r > MOST_PAINTED_FEATURES) {
    kept.r = MOST_PAINTED_FEATURES;
    notes.push(`tasks of at most ${MOST_PAINTED_FEATURES} features are painted`);
  }
  if (kept.law === "painted" && kept.tasks > MOST_PAINTED) {
    kept.tasks = MOST_PAINTED;
    notes.push(`at most ${MOST_PAINTED} tasks are painted`);
  }
  if (kept.heads === "ridge" && kept.batches === "per-task") {
    kept.batches = "shared";
    notes.push("ridge heads need inputs that tasks share");
  }
  if (kept.batches === "per-task" && kept.tasks * kept.batch > MOST_INPUTS) {
    kept.batches = "shared";
    notes.push(`tasks share their inputs, since a round draws at most ${shown(MOST_INPUTS)}`);
  }
  const [, off] = OTHERWISE[kept.against];
  if (off?.(kept)) {
    notes.push(`there is no second run (${kept.against}: ${off(kept)})`);
    kept.against = "nothing";
  }
  return { state: kept, notes };
}

/** The states of the runs. */
export function statesOf(state) {
  const [change] = OTHERWISE[state.against];
  return change ? [state, changed(state, change)] : [state];
}

/** Lines of Python that run the same experiment, with draws of Python's own: of each of these states in turn. */
export function inPython(states) {
  const names = { "mtfl.pretraining": new Set(), "mtfl.tasks": new Set() }, most = Math.max(...states.map(({ tasks }) => tasks));
  const [first, second] = states.map((state) => runInPython(state, most, names));
  const imports = ["import mtfl", ...(states.some(({ law }) => law === "painted") ? ["import torch"] : []),
    ...Object.entries(names).filter(([, { size }]) => size).map(([module, found]) => `from ${module} import ${[...found].sort().join(", ")}`), ""].join("\n");
  if (!second) return `${first.note}${imports}\n${first.lines}`;
  const other = second.lines === first.lines ? "" : second.lines; // what differs is no part of these lines
  return `${imports}\n# This run\n${first.note}${first.lines}\n\n# The other run: ${states[0].against}\n${second.note}${other}`;
}

/** The lines of one run, on the first of so many tasks that are drawn, and what they leave out; adds to the names that they import. */
function runInPython(state, most, names) {
  const { d, r, neurons, tasks, law, inputs, batch, rounds, heads, rule, labels, flips, activation } = state, lines = [], not = [], real = (x) => (Number.isInteger(x) ? `${x}.0` : `${x}`);
  if (activation !== "ReLU") not.push(`the activation ${activation}`);
  if (flips > 0) not.push("flipped labels");
  if (heads === "fresh") not.push("heads that start from zero in each round");
  if (heads === "ridge") names["mtfl.pretraining"].add("Ridge");
  if (rule === "Adam") names["mtfl.pretraining"].add("Adam");
  const asked = keptBack(state) ? state.new_task : "";
  if (asked === "parity") names["mtfl.tasks"].add("characters");
  if (asked === "majority") names["mtfl.tasks"].add("pattern_signs");
  if (labels === "centred") names["mtfl.tasks"].add("centred");
  lines.push(`random = mtfl.streams(${state.seed}, "inputs", "tasks", "weights", "batches"${asked === "another" ? ', "new"' : ""})`);
  lines.push({
    gaussian: `inputs = mtfl.GaussianInputs.random(${d}, ${r}, generator=random["inputs"])`, hypercube: `inputs = mtfl.HypercubeInputs.axes(${d}, ${r})`,
    coloured: `inputs = mtfl.ColouredInputs.power_law(${d}, ${r}, 1.0, generator=random["inputs"])`,
  }[inputs]);
  const K = 2 ** r, table = law === "painted" ? tasksOf(state) : null, asks = state.law_asked ?? law;
  if (table) lines.push("tasks = torch.tensor([", ...Array.from({ length: tasks }, (_, t) => `    [${Array.from(table.subarray(t * K, (t + 1) * K)).join(", ")}],`), "]).double()");
  else {
    const sample = (count, stream, from = law) => `mtfl.sample_tasks(${count}, ${r}, law="${from}", generator=random["${stream}"])`;
    if (asked) lines.push(`new = ${{ parity: `characters(${r})[-1]`, majority: `(pattern_signs(${r}).sum(1) + 0.5 * pattern_signs(${r})[:, 0]).sign()`, another: `${sample(1, "new", asks === "painted" ? "balanced" : asks)}[0]` }[asked]}`);
    lines.push(`tasks = ${sample(asked ? 2 * most + 50 : most, "tasks")}${asked || tasks === most ? "" : `[:${tasks}]`}`);
    if (asked) lines.push(`tasks = tasks[(tasks @ new).abs() < ${K}][:${tasks}]  # without it and its opposite`);
    if (state.opposite) lines.push("tasks[1::2] *= -1");
  }
  lines.push(`start = mtfl.TwoLayerReLU.random(${neurons}, ${d}, tasks=${tasks}, generator=random["weights"])`, "settings = mtfl.PretrainSettings(");
  lines.push(`    rounds=${Math.max(1, rounds)}, batch_size=${batch}, loss="${state.loss}", batches="${state.batches}",`);
  lines.push(heads === "ridge" ? `    head_step=Ridge(${real(state.penalty)}),` : `    head_step=${real(state.head_step)}, head_steps=${state.head_steps},`);
  lines.push(rule === "Adam" ? `    representation_step=Adam(${real(state.rate)}),` : `    representation_step=${real(Number((state.step * tasks).toPrecision(12)))},`);
  lines.push(`    weight_decay=${real(state.decay)},`, ")");
  lines.push(`trained = mtfl.pretrain(start, inputs, ${labels === "centred" ? "centred(tasks)" : "tasks"}, settings, generator=random["batches"])`);
  lines.push("history = trained.history", 'print(f"energy {history.energy[-1]:.3f}, conditioning {history.conditioning[-1]:.3f}")');
  return { note: not.length ? `# mtfl.pretrain does without ${not.join(" and ")}.\n` : "", lines: lines.join("\n") };
}

/** A list to choose from; what cannot be had now is not offered, and says why. */
function menu(view, key, { label, values, off = () => "", also = [] }) {
  const options = Object.entries(values).map(([value, words]) => [value, html("option", { value }, words)]);
  const select = html("select", { "data-key": key, change: () => view.set({ [key]: select.value }) }, ...options.map(([, option]) => option));
  view.watch([key, ...also], () => {
    select.value = view.get(key);
    for (const [value, option] of options) {
      const why = value === view.get(key) ? "" : off(value);
      option.disabled = Boolean(why);
      option.textContent = values[value] + (why ? ` (${why})` : "");
    }
  });
  return html("label", { class: "mtfl-menu" }, html("span", {}, label), select);
}

export function render({ model, el }) {
  const view = openView({ model, el }), pictures = openPictures(), forPython = model.get("_found") !== undefined; // on a page there is none
  let settings = null, notes = [], runs = [], id = 0, key = "", worker = null, playing = false, told = -1, asked = null, busy = false, failed = "", transfer = null, drawing = false;
  let ended = "", telling = 0, fitting = false, fitted = "", stopping = false; // `fitted`: what a head was fitted to last
  const setting = () => Object.fromEntries(WHAT_RUNS.map((name) => [name, view.get(name)]));

  const progress = html("span", { class: "mtfl-progress" }), transferWords = html("p", { class: "mtfl-caption mtfl-two" }), sizes = html("p", { class: "mtfl-caption mtfl-sizes" });
  const draw = () => {
    drawing = false;
    const [run] = runs, n = run.energy.length - 1, starting = n < 0;
    for (const box of [planes, charts]) box.setAttribute("aria-busy", busy);
    play.textContent = isTraining() ? "Pause" : "Play";
    press.setAttribute("aria-pressed", wantsHead());
    progress.textContent = failed ? "Stopped" : starting ? "Making the network" : busy && !playing ? `Round ${n} of ${view.get("rounds")}` : `Round ${n}`;
    const begun = playing ? "Training goes on until you press Pause." : view.get("rounds") > 0 ? `Training for ${rounded(view.get("rounds"))}.` : "The network is being made.";
    view.say(describe(), busy ? begun : (failed ? "" : ended) + describe());
    const { d, r, tasks, batch, neurons } = settings;
    sizes.textContent = `Dimension d = ${d}, features r = ${r}, tasks T = ${tasks}, inputs in a batch n = ${shown(batch)}, neurons m = ${neurons}.`;
    if (starting) return; // till then the pictures stay as they were
    pictures.draw({ settings, runs, first: view.get("first"), second: view.get("second"), accuracies: transfer?.accuracies, asked: wantsHead() });
    transferWords.setAttribute("aria-busy", fitting);
    const came = transfer && `Accuracy on ${NEW_TASKS[transfer.task]} from ${transfer.examples} examples, after ${rounded(transfer.rounds)}.`;
    transferWords.textContent = fitting ? "Heads are being fitted." : [came, failed && "Training has stopped: no head is fitted."].filter(Boolean).join(" ");
    view.report({
      energy: run.energy.at(-1), conditioning: run.conditioning.at(-1), loss_now: run.loss.at(-1) ?? null, accuracy: run.accuracy.at(-1) ?? null,
    });
  };
  const later = () => {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => drawing && draw());
  };

  // Words
  const rounded = (n) => (n === 1 ? "one round" : `${n} rounds`), per = (share) => `${(100 * share).toFixed(0)} %`;
  const describe = () => {
    if (failed) return failed;
    const [run, other] = runs, { r, tasks, law } = settings, hidden = r === 1 ? "the hidden direction" : `the ${r} hidden directions`;
    const even = (value) => `conditioning ${value.toFixed(2)}`, held = ({ energy, conditioning }) => `${per(energy.at(-1))} of the weights lie in ${hidden} (${even(conditioning.at(-1))})`;
    const beyond = ["first", "second"].map(view.get).filter((k) => k > Math.max(2, r)).map((k) => `feature ${k} is not there, and feature ${r} is shown`);
    const here = [...notes, ...beyond], also = here.length ? ` Here ${here.join("; ")}.` : "", reason = withoutTheory(settings);
    const line = reason ? ` There is no line of the theory for ${reason}.` : "";
    const what = tasks === 1 ? `one ${LAW_TASKS[law]}task` : `${tasks} ${LAW_TASKS[law]}tasks`, right = ({ accuracy }) => `${per(accuracy.at(-1))} of the ${tasks === 1 ? "task’s" : "tasks’"} new labels are right`;
    const n = run.energy.length - 1;
    if (n < 0) return `A network is made for ${what}, with d = ${settings.d} and ${shown(settings.batch)} inputs in a batch.${line}${also}`;
    if (n === 0) return `${busy ? "Training begins" : "Before training"} on ${what}, with d = ${settings.d} and ${shown(settings.batch)} inputs in a batch, the neurons point everywhere: ${held(run)}.${line}${also}`;
    const second = other ? ` With ${settings.against} instead, energy is ${per(other.energy.at(-1))}, ${even(other.conditioning.at(-1))}, and accuracy ${per(other.accuracy.at(-1))}.` : "";
    const when = !busy ? `After ${rounded(n)}` : playing ? `So far, after ${rounded(n)}` : `So far, after ${n} of ${rounded(view.get("rounds"))}`;
    return `${when} on ${what}, ${held(run)}, and ${right(run)}.${second}${line}${also}`;
  };

  // Training
  const blank = () => ({ energy: [], conditioning: [], loss: [], accuracy: [], theory: { energy: [], conditioning: [] }, look: null });
  const hear = (message) => {
    if (message.id !== id) return;
    if (message.weights) {
      if (!busy) tellPython(message.weights); // else they are of an earlier round
      return;
    }
    if (message.transfer) {
      transfer = { accuracies: message.transfer, rounds: message.rounds, task: message.asked.transfer, examples: message.asked.examples };
      fitting = false;
      fit();
      return later();
    }
    if (message.failed) {
      failed ||= message.failed; // what it is asked after that may fail for the same reason
      fitting = false;
    }
    message.runs?.forEach((from, n) => {
      const to = runs[n];
      for (const name of ["loss", "accuracy"]) to[name].splice(from.from.rounds, Infinity, ...from[name]);
      for (const name of ["energy", "conditioning"]) {
        to[name].splice(from.from.measured, Infinity, ...from[name]);
        to.theory[name].splice(from.from.theory, Infinity, ...from.theory[name]);
      }
      to.look = from.look ?? to.look;
      to.quick = from.quick;
    });
    told = message.rounds ?? told;
    if (playing && (failed || told >= MOST_ROUNDS)) pause();
    if (told > view.get("rounds") || (stopping && !message.busy && told >= 0)) {
      asked = told;
      view.set({ rounds: told });
    }
    if (!message.busy) stopping = false;
    busy = !failed && (message.busy || playing || told < view.get("rounds")); // what it says may be from before it was asked for more
    if (!busy && !failed && forPython) {
      clearTimeout(telling);
      telling = setTimeout(() => tell({ weights: true }), TELL);
    }
    fit();
    later();
  };
  const tellPython = (weights) => {
    const bytes = (arrays) => Object.fromEntries(Object.entries(arrays).map(([name, values]) => [name, new DataView(Float64Array.from(values).buffer)]));
    const found = weights.map(({ W, b, A, M, F }, n) => {
      const { energy, conditioning, loss, accuracy, theory } = runs[n];
      return bytes({ W, b, A, M, F, energy, conditioning, loss, accuracy, theory_energy: theory.energy, theory_conditioning: theory.conditioning });
    });
    model.set("_found", { state: { ...setting(), rounds: view.get("rounds") }, runs: found });
    model.save_changes();
  };
  const tell = (message) => (worker ??= openWorker(hear)).tell(message);
  const pace = () => (speed.value === "fast" ? Infinity : Number(speed.value));
  const begin = () => {
    const found = possible(setting()), states = statesOf(found.state);
    [settings, notes] = [{ ...found.state }, found.notes];
    id++;
    told = -1;
    failed = "";
    stopping = fitting = false;
    fitted = "";
    ended = view.get("rounds") > 0 ? "Done. " : "";
    transfer = null;
    const atOnce = !runs.length && states.every(({ neurons, d }) => neurons * d <= AT_ONCE); // as the page opens, and where no script runs
    runs = states.map(blank);
    if (atOnce) states.forEach((state, n) => {
      const { history, look } = openRun({ ...state, batch: 16, batches: "shared" }, false);
      Object.assign(runs[n], { energy: [...history.energy], conditioning: [...history.conditioning], look: look() });
    });
    tell({ open: states, id, rounds: playing ? MOST_ROUNDS : view.get("rounds"), pace: playing ? pace() : Infinity });
    busy = !atOnce || playing || view.get("rounds") > 0;
    draw();
  };
  const pause = () => {
    playing = false;
    stopping = true; // the rounds of the state are those that it comes to
    ended = "Paused. ";
    tell({ rounds: 0 }); // no further than it is
    later();
  };
  const isTraining = () => playing || (busy && !stopping && told >= 0 && view.get("rounds") > told + 1); // till Pause, or till a goal
  const play = button("Play", () => {
    if (isTraining()) return pause();
    if (failed) return;
    playing = true;
    steps.begin();
    busy = true;
    if (view.get("rounds") >= MOST_ROUNDS) view.set({ rounds: 0 });
    else tell({ rounds: MOST_ROUNDS, pace: pace() });
    later();
  }, { class: "mtfl-play" });
  const stopped = (change) => () => {
    if (playing) pause();
    view.set(change());
  };
  const speed = html("select", { "aria-label": "Speed", change: () => playing && tell({ rounds: MOST_ROUNDS, pace: pace() }) }, ...Object.entries(SPEEDS).map(([value, words]) => html("option", { value, ...(value === "20" ? { selected: "" } : {}) }, words)));
  speed.value = "20";

  // Taking home
  const code = html("code", {}), copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      copy.textContent = "Copied";
    } catch { // where that is forbidden, the keyboard may
      getSelection().selectAllChildren(code);
      copy.textContent = "Selected: copy by keyboard";
    }
  });
  const python = html("details", {}, html("summary", {}, "As Python"), copy, html("pre", {}, code));
  const save = () => {
    const columns = ["run", "round", "energy", "conditioning", "loss", "accuracy", "theory_energy", "theory_conditioning"], states = statesOf(settings);
    const lines = [[...columns, ...WHAT_RUNS.map((name) => `setting_${name}`)].join()]; // "loss" is a setting too
    runs.forEach((run, n) => run.energy.forEach((value, k) => lines.push([
      RUN_NAMES[n], k, value, run.conditioning[k], run.loss[k - 1] ?? "", run.accuracy[k - 1] ?? "", run.theory.energy[k] ?? "", run.theory.conditioning[k] ?? "",
      ...WHAT_RUNS.map((name) => states[n][name])].join())));
    handOver("laboratory.csv", "text/csv", `${lines.join("\n")}\n`);
  };
  const savePicture = () => {
    const { features, directions, energy, conditioning, accuracy, spectrum, kernel, bars } = pictures, state = Object.keys(model.get("settings")).map((name) => `${name}=${view.get(name)}`).join("&");
    const parts = [[PLANES[0], features], [PLANES[1], directions], ["Energy", energy], ["Conditioning", conditioning], ["Fresh inputs", accuracy], [SPECTRUM, spectrum],
      [KERNEL, kernel], ...(transfer ? [["A new task", bars]] : [])];
    handOver("laboratory.svg", "image/svg+xml", asSvg(el, parts, `${describe()} ${transferWords.textContent} ${sizes.textContent}`, state));
  };

  // A new task
  const press = button("New task", () => view.set({ fitted: wantsHead() ? "no" : "yes" }), { class: "mtfl-lasting" });
  const wantsHead = () => view.get("fitted") === "yes";
  const fit = () => { // once for each round that a run comes to rest in, and for each new task
    const request = { transfer: view.get("new_task"), examples: view.get("examples"), painted: view.get("paint_new") }, now = JSON.stringify([told, request]);
    if (!wantsHead() || busy || failed || fitting || told !== view.get("rounds") || now === fitted) return;
    fitting = true;
    fitted = now;
    tell(request);
  };
  view.watch(["fitted", "examples", "paint_new"], () => {
    if (!wantsHead()) [transfer, fitted] = [null, ""];
    fit();
    later();
  });

  // Painting
  const painter = (label, keys, shows, names) => {
    const node = html("div", { class: "mtfl-painter", role: "group", "aria-label": label });
    view.watch([...keys, "r"], () => {
      node.hidden = !shows();
      if (node.hidden) return;
      const r = Math.min(MOST_PAINTED_FEATURES, view.get("r")), focused = node.contains(document.activeElement) ? document.activeElement.dataset.cell : null;
      const signs = (k) => Array.from({ length: r }, (_, i) => (k >> i & 1 ? "+" : "−")).join("");
      const legend = html("p", { class: "mtfl-caption" }, `Each cell is a pattern: the ${r === 1 ? "sign of the feature" : `signs of features 1 to ${r}`}. What is pressed is labelled +1.`);
      node.replaceChildren(legend, ...Object.entries(names()).map(([name, title]) => html("div", { class: "mtfl-toggles" }, html("span", {}, title), html("div", { class: "mtfl-patterns" }, ...Array.from({ length: 2 ** r }, (_, k) => {
        const on = (view.get(name) >> k) & 1;
        return button(signs(k), () => view.set({ [name]: view.get(name) ^ (1 << k) }), {
          "aria-pressed": String(Boolean(on)), "aria-label": `${title.toLowerCase()}, pattern ${signs(k)}: ${on ? "+1" : "−1"}`, "data-cell": `${name},${k}` });
      })))));
      node.querySelector(`[data-cell="${focused}"]`)?.focus();
    });
    return node;
  };
  const paints = WHAT_RUNS.filter((name) => name.startsWith("paint_"));
  const tasksPainter = painter("Labels of the painted tasks", ["law", "tasks", ...paints], () => view.get("law") === "painted",
    () => Object.fromEntries(paints.slice(0, view.get("tasks")).map((name, t) => [name, `Task ${t + 1}`])));
  const newPainter = painter("Labels of the new task", ["new_task", "paint_new"], () => view.get("new_task") === "painted", () => ({ paint_new: "New task" }));

  const stops = (...values) => values, ridge = () => view.get("heads") === "ridge", adam = () => view.get("rule") === "Adam";
  const group = (name, open, ...nodes) => html("details", { class: "mtfl-group", ...(open ? { open: "" } : {}) }, html("summary", {}, name), ...nodes);
  const trained = (most, words) => (value) => words(view.get("law") === "painted" ? Math.min(most, value) : value); // what is painted is not many
  const counts = stops(1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512);
  const againstOff = (value) => OTHERWISE[value][1]?.({ ...possible({ ...setting(), against: "nothing" }).state });
  const captioned = (words, ...nodes) => html("div", {}, html("p", { class: "mtfl-caption" }, words), ...nodes);
  const planes = html("div", { class: "mtfl-columns" }, captioned(PLANES[0], view.picture(pictures.features)), captioned(PLANES[1], pictures.directions));
  const charts = html("div", {}, pictures.energy, pictures.conditioning, pictures.accuracy), said = html("div", { class: "mtfl-many" }, view.words, sizes);
  const steps = openSteps(view, Object.keys(model.get("settings")), (changed) => changed.join() === "rounds" && view.get("rounds") === told, () => playing && pause());
  const bar = html("div", { class: "mtfl-row mtfl-laboratory mtfl-bar" }, play, button("One round", stopped(() => ({ rounds: Math.min(MOST_ROUNDS, view.get("rounds") + 1) }))), progress);
  const buttons = html("div", { class: "mtfl-row mtfl-laboratory" },
    button("Reset", stopped(() => ({ rounds: 0 }))), ...steps.buttons, button("Other draws", () => view.set({ seed: (view.get("seed") + 1) % 2 ** 32 })), speed);
  const second = html("div", {}, menu(view, "against", { label: "Second run", values: Object.fromEntries(Object.keys(OTHERWISE).map((name) => [name, name === "nothing" ? "none" : `with ${name}`])), also: WHAT_RUNS.filter((name) => name !== "against"), off: againstOff }));
  const data = html("div", {},
    group("Tasks and inputs", true,
      slider(view, "tasks", { label: "Tasks T", stops: () => (view.get("law") === "painted" ? counts.filter((T) => T <= MOST_PAINTED) : counts), also: ["law"], show: trained(MOST_PAINTED, shown), say: trained(MOST_PAINTED, tasksInWords) }),
      menu(view, "law", { label: "Labels of the tasks", values: LAW_NAMES }), tasksPainter,
      slider(view, "r", { label: "Features r", stops: stops(1, 2, 3, 4, 5), also: ["law"], show: trained(MOST_PAINTED_FEATURES, shown) }), slider(view, "d", { label: "Dimension d", stops: stops(5, 10, 20, 30, 52, 75, 100, 150, 200, 300) }),
      slider(view, "batch", { label: "Inputs n in a batch", stops: stops(16, 32, 64, 128, 256, 512, 1024, 2048) })));
  const asking = row(press, menu(view, "new_task", { label: "Task", values: { parity: "parity", majority: "majority", another: "another of this kind", painted: "painted by you" } }));
  const tour = openTour(view, [
    { mark: bar, host: buttons, words: "Play trains the network. Each dot is one of its neurons." },
    { mark: said, host: said, words: "This sentence says what came of it. As it trains, the charts show it round by round; the dashed line is the theory’s." },
    { mark: data, host: data, words: "Change what you like: the network is trained anew, for as many rounds. Undo takes a change back, and so does Ctrl+Z." },
    { mark: second, host: second, words: "A second run, in vermilion, begins with the same weights and sees the same draws. It differs in what you choose here." },
    { mark: press, host: asking, words: "New task freezes the neurons and fits a head to examples of another task: what are their features worth? Experiments stand further down the page." },
  ]);
  buttons.append(tour);
  view.add(
    bar, buttons, planes, said,
    html("div", { class: "mtfl-columns" },
      html("div", {}, data, second,
        slider(view, "rounds", { label: "Rounds", stops: stops(0, 1, 2, 5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500, 1000, MOST_ROUNDS), move: (rounds) => (playing && pause(), { rounds }) }),
        group("More about the data", false,
          menu(view, "inputs", { label: "Inputs", values: { gaussian: "Gaussian", hypercube: "hypercube", coloured: "coloured" } }),
          menu(view, "batches", { label: "Batches", values: { shared: "shared by the tasks", "per-task": "of each task" }, also: ["heads", "tasks", "batch"],
            off: (value) => value === "per-task" && (ridge() ? "ridge heads need shared ones" : view.get("tasks") * view.get("batch") > MOST_INPUTS ? `more than ${shown(MOST_INPUTS)} inputs` : "") }),
          menu(view, "labels", { label: "Labels", values: { signs: "−1 and +1", centred: "centred: each task’s mean taken off" } }),
          slider(view, "flips", { label: "Labels flipped", stops: stops(0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45), show: per })),
        group("Network and algorithm", false,
          slider(view, "neurons", { label: "Neurons m", stops: stops(8, 16, 32, 64, 100, 150, 200, 300, 512) }),
          menu(view, "activation", { label: "Activation", values: Object.fromEntries(ACTIVATION_NAMES.map((name) => [name, name])) }),
          menu(view, "loss", { label: "Loss", values: { hinge: "hinge", logistic: "logistic" } }),
          menu(view, "heads", { label: "Heads", values: { carried: "carried from round to round", fresh: "from zero in each round", ridge: "ridge regression" }, also: ["batches"],
            off: (value) => value === "ridge" && view.get("batches") === "per-task" && "tasks must share inputs" }),
          slider(view, "head_step", { label: "Step of the heads", stops: stops(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10), also: ["heads"], off: () => (ridge() ? "no part: they are solved for" : "") }),
          slider(view, "head_steps", { label: "Steps of the heads in a round", stops: stops(1, 2, 3, 5, 10), also: ["heads"], off: () => (ridge() ? "no part: they are solved for" : "") }),
          slider(view, "penalty", { label: "Penalty of ridge heads", stops: stops(0.1, 1, 10, 100, 1000, 10_000), also: ["heads"], off: () => (ridge() ? "" : "no part: no ridge heads") }),
          menu(view, "rule", { label: "Rule for W", values: { gradient: "a gradient step", Adam: "Adam" } }),
          slider(view, "step", { label: "Step of W for each task", stops: stops(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20), also: ["rule"], off: () => (adam() ? "no part: Adam has a rate" : "") }),
          slider(view, "rate", { label: "Adam’s rate", stops: stops(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1), also: ["rule"], off: () => (adam() ? "" : "no part: gradient steps") }),
          slider(view, "decay", { label: "Weight decay", stops: stops(0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05) })),
        group("Pictures and data", false,
          slider(view, "first", { label: "Feature across", stops: () => Array.from({ length: view.get("r") }, (_, i) => i + 1), also: ["r"] }),
          slider(view, "second", { label: "Feature upwards", stops: () => Array.from({ length: view.get("r") }, (_, i) => i + 1), also: ["r"] }),
          row(button("Save picture (SVG)", savePicture), button("Save data (CSV)", save))),
        python),
      charts),
    html("div", { class: "mtfl-columns" },
      html("div", {}, captioned("A new task: a head on these features", asking), pictures.bars, transferWords, newPainter,
        slider(view, "examples", { label: "Examples", stops: stops(8, 16, 32, 64, 128, 256, 512, 1024) })),
      html("div", {}, captioned(SPECTRUM, pictures.spectrum), captioned(KERNEL, pictures.kernel))),
  );

  view.watch([...WHAT_RUNS, "rounds", "first", "second"], () => {
    const now = JSON.stringify(setting()), rounds = view.get("rounds");
    code.textContent = inPython(statesOf({ ...possible(setting()).state, rounds }));
    copy.textContent = "Copy";
    if (now !== key) {
      key = now;
      asked = rounds;
      begin();
    } else if (rounds < Math.max(told, asked ?? 0)) {
      asked = rounds;
      begin();
    } else if (rounds !== asked) {
      asked = rounds;
      busy = true;
      ended = "Done. ";
      stopping = false;
      tell({ rounds });
    }
    later();
  });
  const lasts = (name) => runs.map((run) => run[name].at(-1) ?? null);
  view.inspect(() => ({
    settings, notes, busy: busy || fitting, failed, transfer, rounds: runs[0].energy.length - 1, energy: lasts("energy"), conditioning: lasts("conditioning"), loss: lasts("loss"),
    accuracy: lasts("accuracy"), V: runs.map(({ look }) => look && [...look.V]), theory: runs[0].theory.energy.length, quick: Boolean(runs[0].quick), worker: Boolean(worker?.alone()),
  }));
  return () => {
    worker?.end();
    view.end();
  };
}

const ACTIVATION_NAMES = ["ReLU", "leaky ReLU", "GELU", "SiLU", "softplus", "ELU", "tanh", "identity", "absolute value", "cosine"];
