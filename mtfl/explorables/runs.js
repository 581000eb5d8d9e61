/**
 * The laboratory's runs: networks made of a state's settings, trained and measured in a worker, or in the page itself where
 * workers are forbidden.
 *
 * A worker has a script of its own. So that a page needs no second file, `workerProgram` writes it out of the functions
 * that the page has: all that they use must be named there, which `tests/training.test.mjs` sees to.
 */
import {
  DAWSON_ORDER, DAWSON_REACH, DAWSON_STEP, RAY_FROM, RAY_STEP, RAY_TO, MIDPOINTS_DOWN_TO, MIDPOINTS_WITHOUT_BIAS, TAIL, addTasks, characters, choleskyFactor,
  dawson, dawsonTable, generator, moved, learned, orthogonalColumns, patternMoments, recovery, rotation, sampleTasks, singularValues, stepOfMoments, taskKernel,
  unknownLaw,
} from "./engine.js";
import { TILE_COLUMNS, TILE_ROWS, halfTile, kernelBytes, kernelMemory, openKernel, openProducts, packTiles, stride, upTo } from "./products.js";
import {
  BLOCK, activationOf, adamMoments, centredTasks, flipsOf, frozenFeatures, inputsOf, measureWeights, normalDistribution, normalNumbers, openFlow,
  openTraining, randomSubspace, randomWeights, softplus, solveSymmetric, spectrumOf, symmetricEigen, transferAccuracy,
} from "./training.js";

export const MOST_PAINTED = 8, MOST_PAINTED_FEATURES = 4;

/** The task that is kept for *New task*, and so not trained on; null where either is painted, or few would be left. */
export function keptBack(state) {
  return [state.law, state.new_task].includes("painted") || state.r === 1 ? null : newTask(state.new_task, state);
}

/**
 * The tasks (T, K) that a state's settings say: painted by the reader, bit k of `paint_t` for pattern k, or drawn until there
 * are as many, without the one that is kept back and its opposite. Every second one may be turned to its opposite.
 */
export function tasksOf(state) {
  const { law, r, tasks: T, opposite } = state, K = 2 ** r, F = new Float64Array(T * K), rng = generator(state.seed, 1), kept = keptBack(state);
  for (let t = 0; t < T;) {
    const f = law === "painted" ? Float64Array.from({ length: K }, (_, k) => (state[`paint_${t + 1}`] >> k & 1 ? 1 : -1)) : sampleTasks(1, r, law, rng);
    if (kept && Math.abs(f.reduce((sum, label, k) => sum + label * kept[k], 0)) === K) continue;
    F.set(opposite && t % 2 ? f.map((label) => -label) : f, K * t++);
  }
  return F;
}

/** Why the theory's line cannot be drawn for these settings; "" where it can. */
export function withoutTheory({ activation, inputs, heads, rule }) {
  if (activation !== "ReLU") return "another activation";
  if (inputs !== "gaussian") return "other inputs";
  return heads === "ridge" ? "ridge heads" : rule === "Adam" ? "Adam" : "";
}

/**
 * A run: a network, its data and what was measured along the way. Runs of one seed begin with the same weights, and see the
 * same inputs and tasks in the same order, as far as their sizes agree.
 * @param {object} state the settings, as `laboratory.py` names them
 * @param {boolean} [quick] whether WebAssembly may be used
 */
export function openRun(state, quick = true) {
  const { d, r, neurons: m } = state, K = 2 ** r, stream = (k) => generator(state.seed, k), table = tasksOf(state), T = table.length / K;
  const inputs = inputsOf(state.inputs, d, r, stream(2), stream(4)), F = state.labels === "centred" ? centredTasks(table, K) : table;
  const W = randomWeights(m, d, stream(3)), b = new Float64Array(m), ridge = state.heads === "ridge", adam = state.rule === "Adam";
  const how = {
    batchSize: state.batch, perTask: state.batches === "per-task", headStep: state.head_step, headSteps: state.head_steps, penalty: ridge ? state.penalty : 0,
    fresh: state.heads === "fresh", representationStep: adam ? state.rate : state.step * T, adam, weightDecay: state.decay, loss: state.loss, activation: state.activation,
  };
  const draws = { sample: inputs.sample, flip: flipsOf(state.flips, stream(5)) };
  const training = openTraining({ W, b, A: new Float32Array(T * m), M: inputs.M, F }, how, draws, Float32Array, quick);
  const history = { loss: [], accuracy: [], energy: [], conditioning: [] }, theory = { energy: [], conditioning: [] };
  const measure = () => {
    const found = measureWeights(training.W, inputs.M, d, r);
    history.energy.push(found.energy);
    history.conditioning.push(found.conditioning);
    return found.V;
  };
  let V = measure(), next = null;
  if (!withoutTheory(state)) {
    const tau = Float64Array.from({ length: m }, (_, j) => {
      let square = 0;
      for (let k = 0; k < d; k++) square += W[j * d + k] ** 2;
      for (let i = 0; i < r; i++) square -= V[j * r + i] ** 2;
      return Math.sqrt(Math.max(0, square));
    });
    const kernel = taskKernel(F, r).map((value) => value * (1 - 2 * state.flips) ** 2);
    theory.energy.push(history.energy[0]);
    theory.conditioning.push(history.conditioning[0]);
    next = openFlow({ V: Float64Array.from(V), tau }, kernel, { ...how, headStep: how.headStep * how.headSteps });
  }

  return {
    training, inputs, table, F, history, theory, start: W,
    round() {
      const { loss, accuracy } = training.round();
      history.loss.push(loss);
      history.accuracy.push(accuracy);
      V = measure();
    },
    /** One more round of the theory, as far as training went and margins stay small; false where there is none. */
    predict() {
      if (!next || theory.energy.length > training.rounds) return false;
      const { energy, conditioning, margin } = next();
      if (!(margin <= 0.25 && Number.isFinite(energy))) {
        next = null;
        return false;
      }
      theory.energy.push(energy);
      theory.conditioning.push(conditioning);
      return true;
    },
    /** What pictures show of the weights: coordinates along the features, and along the directions that W itself leads to. */
    look() {
      const { values, directions } = spectrumOf(training.W, d, 2), found = new Float64Array(2 * m);
      for (let j = 0; j < m; j++) for (let n = 0; n < 2; n++) for (let k = 0; k < d; k++) found[2 * j + n] += training.W[j * d + k] * directions[n * d + k];
      return { V, found, values, kernel: taskKernel(F, r) };
    },
    /** Accuracies of heads on a new task: the parity or the majority of all features, another task of the law, or one that is painted. */
    transfer(kind, examples, painted = state.paint_new) {
      const f = newTask(kind, { ...state, paint_new: painted }), tests = 2000, X = new Float32Array(examples * d), fresh = new Float32Array(tests * d), { sample } = inputsOf(state.inputs, d, r, stream(2), stream(6));
      sample(X, examples);
      sample(fresh, tests);
      const label = (inputs, rows) => Float64Array.from({ length: rows }, (_, i) => {
        let pattern = 0;
        for (let j = 0; j < r; j++) {
          let along = 0;
          for (let k = 0; k < d; k++) along += inputs[i * d + k] * inputsM[k * r + j];
          if (along >= 0) pattern |= 1 << j;
        }
        return f[pattern];
      });
      const inputsM = inputs.M, y = label(X, examples), right = label(fresh, tests), normal = stream(9), oracle = new Float64Array(m * d);
      for (let j = 0; j < m; j++) for (let i = 0; i < r; i++) for (let k = 0, g = normal.normal(); k < d; k++) oracle[j * d + k] += g * inputsM[k * r + i];
      const accuracy = (weights) => transferAccuracy(frozenFeatures(weights, m, state.activation, stream(8)), X, y, fresh, right, 1);
      return { trained: accuracy(training.W), random: accuracy(W), oracle: accuracy(oracle) };
    },
  };
}

/**
 * A new task (K): "parity", "majority" (where as many are +1 as -1, the first feature decides), "another" of the law, or
 * "painted", of four features at most. A second run is asked for the same as the first, of whose law "another" is.
 */
export function newTask(kind, { r, law, law_asked: asked = law, seed, paint_new }) {
  const K = 2 ** r;
  if (kind === "painted") return Float64Array.from({ length: K }, (_, k) => ((paint_new >> k % 2 ** MOST_PAINTED_FEATURES) & 1 ? 1 : -1));
  if (kind === "parity") return characters(r).slice(-K);
  if (kind === "another") return sampleTasks(1, r, asked === "painted" ? "balanced" : asked, generator(seed, 7));
  return Float64Array.from({ length: K }, (_, k) => {
    let sum = (k & 1 ? 1 : -1) / 2;
    for (let i = 0; i < r; i++) sum += k >> i & 1 ? 1 : -1;
    return Math.sign(sum);
  });
}

/**
 * One who trains as he is told and tells what comes of it: the worker's whole program.
 * @param {(message: object) => void} tell is given `{ id, rounds, runs: [...], busy, ... }`; a run has its traces from round `from` on
 *   and, unless it failed, what `look` finds
 * @param {(go: () => void, ms: number) => void} later call after so many ms, and after other messages
 * @param {number} slice ms of work at a time
 * @returns {(message: object) => void} takes `{ open: [states], id, rounds }`, `{ rounds, pace }`: train so far, at most so many
 *   rounds a second, `{ transfer, examples, painted }` and `{ weights: true }`
 */
export function openLabour(tell, later, slice) {
  let runs = [], id = 0, goal = 0, pace = Infinity, begun = 0, before = 0, told = [], last = -Infinity, cost = 0, waiting = false, failed = "";
  const rounds = () => Math.min(...runs.map(({ training }) => training.rounds));
  const go = (ms) => {
    if (waiting) return;
    waiting = true;
    later(work, ms);
  };
  const report = (busy) => {
    const start = performance.now();
    const found = runs.map((run, n) => {
      const { history, theory } = run, from = told[n];
      told[n] = { rounds: history.loss.length, measured: history.energy.length, theory: theory.energy.length };
      return {
        from, loss: history.loss.slice(from.rounds), accuracy: history.accuracy.slice(from.rounds), energy: history.energy.slice(from.measured),
        conditioning: history.conditioning.slice(from.measured), theory: { energy: theory.energy.slice(from.theory), conditioning: theory.conditioning.slice(from.theory) },
        look: failed ? null : run.look(), quick: run.training.quick, // weights that are no numbers are not shown
      };
    });
    last = performance.now();
    cost = last - start;
    tell({ id, rounds: rounds(), runs: found, busy, failed });
  };
  const work = () => {
    waiting = false;
    const start = performance.now(), due = Number.isFinite(pace) ? before + Math.ceil(((start - begun) * pace) / 1000) : Infinity, most = Math.min(goal, due);
    try {
      while (!failed && rounds() < most && performance.now() - start < slice) for (const run of runs) run.round();
    } catch (error) {
      failed = error.message;
    }
    const trains = !failed && rounds() < goal, end = performance.now() + (trains ? slice / 4 : slice);
    let predicts = true;
    while (predicts && performance.now() < end) predicts = runs.map((run) => run.predict()).some(Boolean);
    const busy = trains || predicts;
    if (!busy || performance.now() - last > Math.max(60, 4 * cost)) report(trains);
    if (busy) go(trains && !predicts && rounds() >= most ? Math.min(100, 1000 / pace) : 0);
  };
  return (message) => {
    try {
      if (message.open) {
        id = message.id;
        failed = "";
        pace = Infinity;
        runs = message.open.map((state) => openRun(state, message.quick));
        told = runs.map(() => ({ rounds: 0, measured: 0, theory: 0 }));
      }
      if (message.rounds !== undefined) {
        goal = Math.max(message.rounds, rounds());
        pace = message.pace ?? Infinity;
        begun = performance.now();
        before = rounds();
        go(0);
      }
      if (message.transfer) tell({ id, transfer: runs.map((run) => run.transfer(message.transfer, message.examples, message.painted)), rounds: rounds(), asked: message });
      if (message.weights) tell({ id, weights: runs.map(({ training: { W, b, A }, inputs: { M }, table }) => ({ W, b, A, M, F: table })), rounds: rounds() });
    } catch (error) {
      tell({ id, failed: error.message });
    }
  };
}

/** The script of a worker that labours. */
export function workerProgram() {
  const constants = {
    DAWSON_ORDER, DAWSON_REACH, DAWSON_STEP, RAY_FROM, RAY_STEP, RAY_TO, MIDPOINTS_DOWN_TO, MIDPOINTS_WITHOUT_BIAS, TAIL, TILE_COLUMNS, TILE_ROWS, BLOCK, MOST_PAINTED_FEATURES,
  };
  const functions = [
    addTasks, characters, choleskyFactor, dawson, dawsonTable, generator, moved, learned, orthogonalColumns, patternMoments, recovery, rotation, sampleTasks, singularValues,
    stepOfMoments, taskKernel, unknownLaw, halfTile, kernelBytes, kernelMemory, openKernel, openProducts, packTiles, stride, upTo, activationOf, adamMoments,
    centredTasks, flipsOf, frozenFeatures, inputsOf, measureWeights, normalDistribution, normalNumbers, openFlow, openTraining, randomSubspace, randomWeights,
    softplus, solveSymmetric, spectrumOf, symmetricEigen, transferAccuracy, keptBack, tasksOf, withoutTheory, openRun, newTask, openLabour,
  ];
  return [
    '"use strict";', ...Object.entries(constants).map(([name, value]) => `const ${name} = ${value};`), ...functions.map(String),
    "const DAWSON_TABLE = dawsonTable(), channel = new MessageChannel();", "let work = null;", "channel.port1.onmessage = () => work();",
    "const later = (go, ms) => { if (ms) setTimeout(go, ms); else { work = go; channel.port2.postMessage(0); } };",
    "const labour = openLabour(postMessage, later, 14);", "onmessage = ({ data }) => labour(data);",
  ].join("\n");
}

/**
 * Open a worker; where there is none, or it may not start, the page itself labours, a few ms at a time.
 * @param {(message: object) => void} hear called with what it tells
 * @returns {{tell: (message: object) => void, end: () => void, alone: () => boolean}} `alone`: whether it is a worker
 */
export function openWorker(hear) {
  let worker = null, sent = [], ended = false, here = null;
  const labour = () => {
    worker?.terminate();
    worker = null;
    here = openLabour((message) => ended || hear(message), (go, ms) => setTimeout(() => ended || go(), ms), 6);
    sent.forEach(here);
    sent = [];
  };
  try {
    const address = URL.createObjectURL(new Blob([workerProgram()], { type: "text/javascript" }));
    worker = new Worker(address);
    URL.revokeObjectURL(address);
    worker.onmessage = ({ data }) => {
      sent = null; // it works: nothing need be said again
      hear(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (sent) labour();
    };
  } catch {
    labour();
  }
  return {
    tell(message) {
      if (here) here(message);
      else {
        sent?.push(message);
        worker.postMessage(message);
      }
    },
    end() {
      ended = true;
      worker?.terminate();
    },
    alone: () => worker !== null,
  };
}
