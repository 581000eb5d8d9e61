/**
 * The engine of the figures against numbers that Python made, and its random draws against their laws.
 * tests/test_engine.py writes the numbers and runs this file: MTFL_ENGINE is the module, MTFL_GOLDEN the numbers.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const engine = await import(pathToFileURL(process.env.MTFL_ENGINE));
const golden = JSON.parse(readFileSync(process.env.MTFL_GOLDEN, "utf8"));

const TOLERANCE = 1e-9, SHARPER = { dawson: 1e-13, faddeeva: 1e-13 };
const OF_WHOLE = new Set(["patternMoments", "stepOfMoments", "populationStep", "learned", "moved", "leadingOrderStep", "batchPulls", "leakyMoments",
  "squaredCorrelations", "principalPlaces", "relabelledStep", "slopeChanges", "ambiguousGaps", "colouredStep", "sampledStep",
  "arcCosine", "ridgeFactors", "ridgeAnswers"]);

/** Flat numbers of a value: an array, a number, or an object whose fields are named by the expected one. */
const pick = (value, expected) =>
  typeof expected === "number" || Array.isArray(expected)
    ? { "": [value, expected] }
    : Object.fromEntries(Object.keys(expected).map((key) => [key, [value[key], expected[key]]]));

/** Relative error at most 1e-9, or what is promised: of each number, or of an array as a whole (or of 1e-4) where entries may cancel. */
function close(found, expected, whole, tolerance = TOLERANCE) {
  for (const [name, [value, wanted]] of Object.entries(pick(found, expected))) {
    const ours = [value].flat().flatMap((part) => (ArrayBuffer.isView(part) ? [...part] : part)), theirs = [wanted].flat();
    assert.equal(ours.length, theirs.length, `${name}: length`);
    const scale = Math.max(1e-4, ...theirs.map(Math.abs));
    theirs.forEach((number, n) => {
      const error = Math.abs(ours[n] - number);
      assert.ok(error <= tolerance * (whole ? scale : Math.abs(number)), `${name}[${n}]: ${ours[n]} instead of ${number}`);
    });
  }
}

for (const { name, call, cases } of golden.functions) {
  test(name, () => {
    assert.ok(cases.length > 0);
    for (const { args, expected } of cases) {
      const values = args.map((value) => (value === "inf" ? Infinity : value));
      close(engine[call](...values), expected, OF_WHOLE.has(call), SHARPER[call]);
    }
  });
}

test("the generator is sfc32", () => {
  for (const { seed, stream, integers, uniforms } of golden.generator) {
    for (const start of stream ? [[seed, stream]] : [[seed, stream], [seed]]) {
      const rng = engine.generator(...start), again = engine.generator(...start);
      assert.deepEqual(integers.map(() => rng.next()), integers);
      assert.deepEqual(uniforms.map(() => again.uniform()), uniforms);
    }
  }
});

// Laws. Seeds are fixed; a mean may be off by 5 standard errors.

const DRAWS = 100_000;

function moments(draw, count = DRAWS) {
  const values = Array.from({ length: count }, draw), mean = values.reduce((sum, x) => sum + x, 0) / count;
  const central = (power) => values.reduce((sum, x) => sum + (x - mean) ** power, 0) / count;
  return { mean, variance: central(2), third: central(3), fourth: central(4), count };
}

function hasMeanAndVariance(draw, mean, variance, count) {
  const found = moments(draw, count); // of so many draws that an error of some percent is seen
  const error = Math.sqrt(found.variance / found.count);
  assert.ok(Math.abs(found.mean - mean) < 5 * error, `mean ${found.mean} instead of ${mean}`);
  const spread = Math.sqrt((found.fourth - found.variance ** 2) / found.count);
  assert.ok(Math.abs(found.variance - variance) < 5 * spread, `variance ${found.variance} instead of ${variance}`);
  return found;
}

/** Counts of equally likely outcomes: chi-square within 5 standard deviations of its mean. */
function evenly(counts, outcomes) {
  assert.equal(counts.size, outcomes);
  const total = [...counts.values()].reduce((sum, n) => sum + n, 0), share = total / outcomes;
  const square = [...counts.values()].reduce((sum, n) => sum + (n - share) ** 2 / share, 0);
  const free = outcomes - 1;
  assert.ok(Math.abs(square - free) < 5 * Math.sqrt(2 * free) + 5, `chi-square ${square} with ${free} degrees`);
}

function tally(outcomes) {
  const counts = new Map();
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return counts;
}

test("uniform numbers", () => {
  const rng = engine.generator(1);
  hasMeanAndVariance(rng.uniform, 0.5, 1 / 12);
  evenly(tally(Array.from({ length: DRAWS }, () => Math.floor(rng.uniform() * 100))), 100);
  evenly(tally(Array.from({ length: DRAWS }, () => rng.below(7))), 7);
  evenly(tally(Array.from({ length: DRAWS }, () => `${rng.below(8)} ${rng.below(8)}`)), 64); // successive draws
  const values = Array.from({ length: 1000 }, rng.uniform);
  assert.ok(values.some((x) => (x * 2 ** 40) % 1 !== 0), "uniform numbers must have 53 bits");
});

test("streams and seeds differ", () => {
  const starts = [];
  for (let seed = 0; seed < 100; seed++) {
    for (let stream = 0; stream < 100; stream++) starts.push(engine.generator(seed, stream).next());
  }
  assert.ok(new Set(starts).size > 10_000 - 5); // two of so many integers may meet
  hasMeanAndVariance(() => starts.pop() / 2 ** 32, 0.5, 1 / 12, 10_000);
});

test("normal numbers", () => {
  const rng = engine.generator(2);
  const found = hasMeanAndVariance(rng.normal, 0, 1);
  assert.ok(Math.abs(found.third) < 5 * Math.sqrt(15 / DRAWS));
  assert.ok(Math.abs(found.fourth - 3) < 5 * Math.sqrt(96 / DRAWS));
  const pairs = moments(() => rng.normal() * rng.normal());
  assert.ok(Math.abs(pairs.mean) < 5 / Math.sqrt(DRAWS), "successive draws must be independent");
});

test("normal and gamma numbers come as often as their laws say", () => {
  const evenlyBetween = (edges, draw) => evenly(tally(Array.from({ length: DRAWS }, () => {
    const x = draw();
    return edges.filter((edge) => edge < x).length;
  })), edges.length + 1);
  const rng = engine.generator(13);
  evenlyBetween(golden.quantiles.normal, rng.normal);
  for (const { shape, edges } of golden.quantiles.gamma) evenlyBetween(edges, () => engine.gamma(shape, rng));
});

test("gamma numbers", () => {
  const rng = engine.generator(3);
  for (const shape of [0.5, 1, 4.5, 400]) hasMeanAndVariance(() => engine.gamma(shape, rng), shape, shape);
});

test("random neurons", () => {
  for (const [d, r] of [[3, 2], [20, 2], [1000, 4]]) {
    const { V, tau } = engine.randomNeurons(50_000, r, d, engine.generator(4, d));
    let n = 0;
    hasMeanAndVariance(() => V[n++], 0, 1 / d, V.length);
    n = 0;
    hasMeanAndVariance(() => d * tau[n++] ** 2, d - r, 2 * (d - r), tau.length);
    n = 0;
    const across = moments(() => V[r * n] * V[r * n++ + 1] * d, tau.length);
    assert.ok(Math.abs(across.mean) < 5 / Math.sqrt(tau.length));
  }
});

const rows = (F, K) => Array.from({ length: F.length / K }, (_, t) => F.subarray(t * K, (t + 1) * K).join());

test("tasks are uniform over all, or over the balanced, functions", () => {
  evenly(tally(rows(engine.sampleTasks(16_000, 2, "uniform", engine.generator(5)), 4)), 16);
  evenly(tally(rows(engine.sampleTasks(12_000, 2, "balanced", engine.generator(6)), 4)), 6);
  evenly(tally(rows(engine.sampleTasks(70_000, 3, "balanced", engine.generator(7)), 8)), 70);
  evenly(tally(rows(engine.sampleTasks(51_200, 3, "uniform", engine.generator(8)), 8)), 256);
  evenly(tally(rows(engine.sampleTasks(14_000, 3, "parity", engine.generator(9)), 8)), 14);
  assert.throws(() => engine.sampleTasks(1, 2, "odd", engine.generator(1)), /^Error: sampleTasks: law must be .+; got odd\. /);
  assert.throws(() => engine.limitKernel(2, "odd"), /^Error: limitKernel: law must be .+; got odd\. /);
});

test("juntas and thresholds come as often as their laws say", () => {
  const r = 3, K = 8, T = 100_000;
  for (const law of ["junta", "threshold"]) {
    const F = engine.sampleTasks(T, r, law, engine.generator(10)), found = engine.taskKernel(F, r), limit = engine.limitKernel(r, law);
    found.forEach((value, n) => {
      const error = Math.sqrt((1 - limit[n] ** 2) / T);
      assert.ok(Math.abs(value - limit[n]) <= 5 * error + 1e-12, `${law}: ${value} instead of ${limit[n]}`);
    });
    const coefficients = engine.walshCoefficients(F, r);
    for (let k = 0; k < K; k++) {
      const mean = coefficients.filter((_, n) => n % K === k).reduce((sum, x) => sum + x, 0) / T;
      assert.ok(Math.abs(mean) < 5 / Math.sqrt(T), `${law}: coefficient ${k} is ${mean} in the mean`);
    }
  }
});

test("relabellings are uniform over the balanced ones", () => {
  evenly(tally(rows(engine.relabellings(12_000, 4, engine.generator(11)), 4)), 6);
  evenly(tally(rows(engine.relabellings(20_000, 5, engine.generator(12)), 5)), 10);
});

test("a stream of tasks keeps its first tasks, and its kernel", () => {
  for (const law of ["uniform", "balanced", "parity"]) {
    const stream = engine.taskStream(3, law, engine.generator(9)), again = engine.taskStream(3, law, engine.generator(9));
    const all = Float64Array.from(again.table(300));
    for (const T of [5, 1, 300, 17, 18, Infinity, 2]) {
      if (T === Infinity) assert.deepEqual(stream.kernel(T), engine.limitKernel(3, law));
      else {
        assert.deepEqual(stream.kernel(T), engine.taskKernel(all.subarray(0, T * 8), 3));
        assert.deepEqual(stream.table(T), all.subarray(0, T * 8));
      }
    }
  }
});

test("the Marchenko-Pastur density has mass min(1, 1 / ratio) and mean 1", () => {
  for (const ratio of [0.1, 0.5, 2]) {
    const [low, high] = engine.marchenkoPasturEdges(ratio), count = 20_000;
    let mass = 0, mean = 0;
    for (let n = 0; n < count; n++) { // Chebyshev's nodes suit the square roots at both edges
      const angle = (Math.PI * (n + 0.5)) / count, x = (low + high) / 2 + ((high - low) / 2) * Math.cos(angle);
      const part = engine.marchenkoPasturDensity(x, ratio) * ((high - low) / 2) * Math.sin(angle) * (Math.PI / count);
      mass += part;
      mean += x * part;
    }
    assert.ok(Math.abs(mass - Math.min(1, 1 / ratio)) < 1e-7, `mass ${mass}`);
    assert.ok(Math.abs(mean - 1) < 1e-7, `mean ${mean}`);
    for (const x of [high * 1.01, low * 0.99]) assert.equal(engine.marchenkoPasturDensity(x, ratio), 0);
  }
});

test("a rotation makes a symmetric matrix diagonal, by at most an eighth of a turn", () => {
  for (const [xx, yy, xy] of [[1, 2, 0.3], [2, 1, 0.3], [1, 1.1, -4], [1.1, 1, 4], [1, 1, 2], [1e-3, 5, 0.01], [5, 1e-3, -0.01]]) {
    const [c, s] = engine.rotation(xx, yy, xy);
    assert.ok(Math.abs(c * s * (xx - yy) + (c * c - s * s) * xy) < 1e-14 * (xx + yy));
    assert.ok(Math.abs(c * c + s * s - 1) < 1e-15 && c >= Math.abs(s) - 1e-15);
  }
});

test("what is not positive definite has no Cholesky factor", () => {
  for (const G of [[0], [-1], [1, 2, 2, 1], [1, 0, 1, 1]]) {
    const n = Math.sqrt(G.length);
    assert.equal(engine.choleskyFactor(G, n), null);
    assert.ok(engine.choleskyFactor(G, n, n, 2));
  }
});

test("moments refuse what they cannot compute", () => {
  assert.throws(() => engine.patternMoments([0], [0]), /^Error: patternMoments: every neuron must be nonzero; got .+\. /);
  assert.throws(() => engine.patternMoments([1], [0.01], [0.5]), /^Error: patternMoments: tau must be .+; got 0\.01\. /);
});

// How often blocks of the engine (functions, branches, bodies of loops) run, as V8 counts them.

const MOST_OPERATIONS = 220_000; // for 200 neurons; counted under Node 24: 136,515

test("a step of 200 neurons takes few operations, and no more for each of 400", async () => {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  const url = `${pathToFileURL(process.env.MTFL_ENGINE)}?counted`, counted = await import(url); // V8 counts what it reads now
  const operations = async (m) => {
    const neurons = counted.randomNeurons(m, 2, 20, counted.generator(1)), kernel = counted.limitKernel(2, "balanced");
    await session.post("Profiler.takePreciseCoverage");
    counted.populationStep(neurons, kernel);
    const { result } = await session.post("Profiler.takePreciseCoverage");
    const functions = result.filter((script) => script.url === url).flatMap((script) => script.functions);
    return functions.flatMap((part) => part.ranges).reduce((sum, block) => sum + block.count, 0);
  };
  const few = await operations(200), many = await operations(400);
  session.disconnect();
  console.log(`200 neurons, r = 2: ${few} operations, 400 neurons: ${many}`);
  assert.ok(few > 10_000 && few < MOST_OPERATIONS, `${few} operations`);
  assert.ok(many < 2.2 * few, `${few} operations for 200 neurons, ${many} for 400`);
});
