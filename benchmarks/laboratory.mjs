/**
 * Times the laboratory's training under Node: `laboratory.py` runs it. Reads { sizes, turns, seconds, tfjs } from the standard
 * input, and writes for each size its rounds a second and its products' GFLOP a second, medians over turns of processor time.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { folder, sizes, turns, seconds, tfjs } = JSON.parse(readFileSync(0, "utf8")), url = pathToFileURL(`${folder}/`);
const training = await import(new URL("training.js", url)), engine = await import(new URL("engine.js", url));
const { openProducts, upTo } = await import(new URL("products.js", url));

/** Runs a second of processor time. */
function rate(run) {
  run();
  const start = process.cpuUsage(), begun = performance.now();
  let runs = 0, used = 0;
  do {
    run();
    runs++;
    const { user, system } = process.cpuUsage(start);
    used = (user + system) / 1e6;
  } while (used < seconds && performance.now() - begun < 20_000 * seconds);
  return runs / used;
}

function trainer({ d, r, m, T, n }, quick) {
  const stream = (k) => engine.generator(1, k), inputs = training.inputsOf("gaussian", d, r, stream(1), stream(2));
  const F = engine.sampleTasks(T, r, "balanced", stream(3)), W = training.randomWeights(m, d, stream(4));
  const how = { batchSize: n, headStep: 0.05, headSteps: 1, penalty: 0, representationStep: 0.05 * T, weightDecay: 0, loss: "hinge", activation: "ReLU" };
  const run = training.openTraining({ W, b: new Float64Array(m), A: new Float64Array(T * m), M: inputs.M, F }, how, inputs, Float32Array, quick);
  if (run.quick !== quick) throw new Error("WebAssembly must be there; got none. Use another Node.");
  const X = new Float32Array(n * d);
  return { round: run.round, draw: () => { inputs.sample(X, n); inputs.sample(X, n); } };
}

function products({ d, m, n }, random) {
  const L = Float32Array.from({ length: n * d }, random), R = Float32Array.from({ length: d * m }, random), made = {};
  for (const [name, quick] of [["WebAssembly", true], ["JavaScript", false]]) {
    const { C, product } = openProducts({ C: [n, m] }, upTo(n, 8) * upTo(Math.max(m, d), 8), Float32Array, quick);
    made[name] = () => product(C, [L, d, 1], [R, m, 1], n, d, m, false);
  }
  const C = new Float32Array(n * m);
  made["triple loop"] = () => {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        let sum = 0;
        for (let k = 0; k < d; k++) sum += L[i * d + k] * R[k * m + j];
        C[i * m + j] = sum;
      }
    }
  };
  return { made, L, R };
}

let tf = null;
if (tfjs) {
  const require = createRequire(`${tfjs}/package.json`);
  tf = require("@tensorflow/tfjs-core");
  require("@tensorflow/tfjs-backend-cpu");
  const wasm = require("@tensorflow/tfjs-backend-wasm");
  wasm.setThreadsCount?.(1);
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)], found = {};
for (const [name, size] of Object.entries(sizes)) {
  const { d, m, n } = size, rates = {}, note = (key, value) => (rates[key] ??= []).push(value), { made, L, R } = products(size, engine.generator(2).normal);
  const runs = { WebAssembly: trainer(size, true), JavaScript: trainer(size, false) };
  for (let turn = 0; turn < turns; turn++) {
    for (const [kind, run] of Object.entries(runs)) note(`rounds, ${kind}`, rate(run.round));
    note("draws", rate(runs.WebAssembly.draw));
    for (const [kind, run] of Object.entries(made)) note(`GFLOP/s, ${kind}`, (rate(run) * 2 * n * d * m) / 1e9);
    for (const backend of tf ? ["cpu", "wasm"] : []) {
      await tf.setBackend(backend);
      await tf.ready();
      const a = tf.tensor2d(L, [n, d]), b = tf.tensor2d(R, [d, m]), run = () => {
        const c = tf.matMul(a, b);
        c.dataSync();
        c.dispose();
      };
      note(`GFLOP/s, TensorFlow.js ${backend}`, (rate(run) * 2 * n * d * m) / 1e9);
      a.dispose();
      b.dispose();
    }
  }
  found[name] = Object.fromEntries(Object.entries(rates).map(([key, values]) => [key, median(values)]));
}
console.log(JSON.stringify({ node: process.version, sizes: found }));
