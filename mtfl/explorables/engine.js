/**
 * The numbers behind the figures: what `mtfl` computes in Python, for a page without Python.
 *
 * Pure functions in float64. An array is flat and row-major, a `Float64Array` or a plain array; comments give its shape
 * as in the package, so that (m, r) holds m rows of r numbers. K = 2^r; pattern k has z_i = +1 where bit i of k is set.
 * Neurons are `{ V, tau }`: coordinates in the subspace (m, r) and norms of the parts outside (m), without biases.
 *
 * `tests/test_engine.py` compares every function with the package, under Node.
 */

// Random numbers

/**
 * A seeded generator: sfc32 (Chris Doty-Humphrey's PractRand), its state mixed from the seed by splitmix32.
 * @param {number} seed an integer
 * @param {number} [stream] an integer; streams of one seed are independent
 * @returns {{next: () => number, uniform: () => number, below: (n: number) => number, normal: () => number}}
 *   `next` is an integer of 32 bits, `uniform` lies in [0, 1) with 53 bits, `below` is an integer in 0 ... n - 1.
 */
export function generator(seed, stream = 0) {
  const split = (start) => {
    let state = start >>> 0;
    return () => {
      state = (state + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    };
  };
  const seeds = split(seed), streams = split(stream);
  let a = seeds(), b = seeds() ^ streams(), c = streams(), counter = 1, spare = NaN;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  const uniform = () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  const normal = () => {
    if (!Number.isNaN(spare)) {
      const kept = spare;
      spare = NaN;
      return kept;
    }
    for (;;) { // Marsaglia's polar method
      const x = 2 * uniform() - 1, y = 2 * uniform() - 1, square = x * x + y * y;
      if (square > 0 && square < 1) {
        const scale = Math.sqrt((-2 * Math.log(square)) / square);
        spare = y * scale;
        return x * scale;
      }
    }
  };
  return { next, uniform, below: (n) => Math.floor(uniform() * n), normal };
}

/**
 * A draw from the gamma law with this shape and scale 1 (Marsaglia and Tsang, 2000).
 */
export function gamma(shape, rng) {
  if (shape < 1) return gamma(shape + 1, rng) * (1 - rng.uniform()) ** (1 / shape);
  const d = shape - 1 / 3, c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = rng.normal(), cube = (1 + c * x) ** 3;
    if (cube > 0 && Math.log(1 - rng.uniform()) < 0.5 * x * x + d - d * cube + d * Math.log(cube)) return d * cube;
  }
}

/**
 * The rows of a layer drawn from N(0, I_d / d), at a cost that does not depend on d.
 * @param {number} m neurons
 * @param {number} r features
 * @param {number} d input dimension, more than r
 * @returns {{V: Float64Array, tau: Float64Array}} v is N(0, I_r / d); d tau^2 is chi-square with d - r degrees.
 */
export function randomNeurons(m, r, d, rng) {
  const V = Float64Array.from({ length: m * r }, () => rng.normal() / Math.sqrt(d));
  const tau = Float64Array.from({ length: m }, () => Math.sqrt((2 * gamma((d - r) / 2, rng)) / d));
  return { V, tau };
}

// Tasks

/**
 * All patterns (K, r) of -1 and +1.
 */
export function patternSigns(r) {
  return Float64Array.from({ length: 2 ** r * r }, (_, n) => ((Math.floor(n / r) >> (n % r)) & 1 ? 1 : -1));
}

/**
 * The Walsh functions (S, K): row S, a set as a bit mask, holds the products of z_i over i in S.
 */
export function characters(r) {
  const K = 2 ** r;
  return Float64Array.from({ length: K * K }, (_, n) => {
    let missing = Math.floor(n / K) & ~(n % K), sign = 1;
    for (; missing; missing &= missing - 1) sign = -sign;
    return sign;
  });
}

/**
 * Walsh-Fourier coefficients (T, S) of a table of tasks F (T, K): means over patterns of f(z) prod_{i in S} z_i.
 */
export function walshCoefficients(F, r) {
  const K = 2 ** r, result = Float64Array.from(F, (value) => value / K);
  for (let start = 0; start < result.length; start += K) {
    for (let bit = 1; bit < K; bit *= 2) {
      for (let k = 0; k < K; k++) {
        if (k & bit) continue;
        const minus = result[start + k], plus = result[start + k + bit];
        result[start + k] = minus + plus;
        result[start + k + bit] = plus - minus;
      }
    }
  }
  return result;
}

/**
 * A table of random tasks (T, K): "uniform" labels are fair coins, "balanced" tasks have as many +1 as -1, a "parity"
 * is plus or minus the product of z_i over a random non-empty set, a "junta" a uniform function of two random features, a
 * "threshold" the sign of w . z + c with normal w and c.
 */
export function sampleTasks(T, r, law, rng) {
  const K = 2 ** r, F = new Float64Array(T * K), chi = law === "parity" ? characters(r) : null;
  for (let start = 0; start < F.length; start += K) {
    if (law === "uniform") {
      for (let k = 0; k < K; k++) F[start + k] = rng.next() >>> 31 ? 1 : -1;
    } else if (law === "balanced") {
      for (let k = 0; k < K; k++) { // an inside-out shuffle of K/2 times +1 and K/2 times -1
        const other = rng.below(k + 1);
        F[start + k] = F[start + other];
        F[start + other] = k % 2 ? 1 : -1;
      }
    } else if (law === "parity") {
      const S = 1 + rng.below(K - 1), sign = rng.next() >>> 31 ? 1 : -1;
      for (let k = 0; k < K; k++) F[start + k] = sign * chi[S * K + k];
    } else if (law === "junta") {
      const one = rng.below(r), other = r > 1 ? (one + 1 + rng.below(r - 1)) % r : one, labels = rng.next() >>> 28;
      for (let k = 0; k < K; k++) F[start + k] = labels >> (2 * (k >> one & 1) + (k >> other & 1)) & 1 ? 1 : -1;
    } else if (law === "threshold") {
      const w = Array.from({ length: r }, rng.normal), offset = rng.normal();
      for (let k = 0; k < K; k++) F[start + k] = w.reduce((sum, x, i) => sum + (k >> i & 1 ? x : -x), offset) > 0 ? 1 : -1;
    } else {
      throw unknownLaw("sampleTasks", law);
    }
  }
  return F;
}

export function unknownLaw(where, law) {
  return new Error(`${where}: law must be uniform, balanced, parity, junta or threshold; got ${law}. Choose one of these words.`);
}

/**
 * The task kernel (K, K) of a table F (T, K): the mean over tasks of f(z) f(z').
 */
export function taskKernel(F, r) {
  const K = 2 ** r, T = F.length / K, kernel = new Float64Array(K * K);
  addTasks(kernel, F, K, 0, T, 1);
  return kernel.map((sum) => sum / T);
}

/** Add tasks from ... to - 1 of F to a kernel's sum, or take them away: exact, since all are whole numbers. */
export function addTasks(sum, F, K, from, to, sign) {
  for (let t = from * K; t < to * K; t += K) {
    for (let k = 0; k < K; k++) {
      const label = sign * F[t + k];
      for (let l = 0; l < K; l++) sum[k * K + l] += label * F[t + l];
    }
  }
}

/**
 * Task after task from one law and seed: the first T tasks stay the same as T grows, and a kernel costs only the
 * tasks that came or went since the last.
 * @returns {{table: (T: number) => Float64Array, kernel: (T: number) => Float64Array}} the first T tasks (T, K), and
 *   their kernel (K, K); T may be Infinity for the kernel.
 */
export function taskStream(r, law, rng) {
  const K = 2 ** r, sum = new Float64Array(K * K);
  let F = new Float64Array(0), held = 0;
  const table = (T) => {
    if (F.length < T * K) {
      const longer = new Float64Array(T * K);
      longer.set(F);
      longer.set(sampleTasks(T - F.length / K, r, law, rng), F.length);
      F = longer;
    }
    return F.subarray(0, T * K);
  };
  const kernel = (T) => {
    if (T === Infinity) return limitKernel(r, law);
    table(T);
    addTasks(sum, F, K, held, T, 1);
    addTasks(sum, F, K, T, held, -1);
    held = T;
    return sum.map((value) => value / T);
  };
  return { table, kernel };
}

/**
 * The task kernel (K, K) of infinitely many tasks, as `mtfl.limit_kernel` gives it.
 */
export function limitKernel(r, law) {
  const K = 2 ** r, apart = -1 / (K - 1), at = {
    uniform: (agree) => (agree === r ? 1 : 0),
    balanced: (agree) => (agree === r ? 1 : apart),
    parity: (agree) => (agree === r ? 1 : apart),
    junta: (agree) => (r > 1 ? (agree * (agree - 1)) / (r * (r - 1)) : agree),
    threshold: (agree) => (2 / Math.PI) * Math.asin((2 * agree - r + 1) / (r + 1)),
  }[law];
  if (at === undefined) throw unknownLaw("limitKernel", law);
  return Float64Array.from({ length: K * K }, (_, n) => { // by how many features agree
    let differ = (n % K) ^ Math.floor(n / K), agree = r;
    for (; differ; differ &= differ - 1) agree--;
    return at(agree);
  });
}

/**
 * What the kernel of T tasks deviates from its limit by, at most, over all pairs of patterns, with probability
 * 1 - delta (Hoeffding and a union bound).
 */
export function kernelDeviationBound(T, r, delta) {
  return Math.sqrt((2 * Math.log(4 ** r / delta)) / T);
}

// Pairs of inputs

/**
 * What a batch of inputs does to one neuron w (d), as the pseudo-contrastive loss says, with kappa^2 eta_a = 1 and the batch
 * on both sides: input i pulls by the mean over l of K(z_l, z_i) relu(w . x_l), if w . x_i > 0, and pushes where this
 * is negative.
 * @param X (n, d) inputs
 * @param patterns (n) numbers of their patterns
 * @param kernel (K, K) of the tasks
 * @returns {{pulls: Float64Array, gradient: Float64Array}} of the inputs (n), and the negative gradient (d), which is the
 *   mean of pull times input.
 */
export function batchPulls(X, patterns, kernel, w) {
  const n = patterns.length, d = w.length, K = Math.sqrt(kernel.length), anchors = new Float64Array(K);
  const scores = Float64Array.from({ length: n }, (_, i) => w.reduce((sum, value, j) => sum + value * X[i * d + j], 0));
  scores.forEach((score, l) => (anchors[patterns[l]] += Math.max(0, score) / n));
  const mixed = anchors.map((_, z) => anchors.reduce((sum, anchor, l) => sum + kernel[l * K + z] * anchor, 0));
  const pulls = scores.map((score, i) => (score > 0 ? mixed[patterns[i]] : 0)), gradient = new Float64Array(d);
  pulls.forEach((pull, i) => gradient.forEach((_, j) => (gradient[j] += (pull * X[i * d + j]) / n)));
  return { pulls, gradient };
}

// Moments of a neuron given the pattern

export const DAWSON_STEP = 1 / 16, DAWSON_REACH = 12, DAWSON_ORDER = 9;
export const DAWSON_TABLE = dawsonTable();

/** Taylor coefficients around 0, 1/16, ...: values by Rybicki's sum, then the recurrence that F' = 1 - 2xF gives. */
export function dawsonTable() {
  const rows = DAWSON_REACH / DAWSON_STEP + 1, table = new Float64Array(rows * DAWSON_ORDER), h = 0.25;
  for (let j = 0; j < rows; j++) {
    const x = j * DAWSON_STEP, t = table.subarray(j * DAWSON_ORDER, (j + 1) * DAWSON_ORDER);
    for (let n = 1; n * h < x + 7; n += 2) t[0] += (Math.exp(-((x - n * h) ** 2)) - Math.exp(-((x + n * h) ** 2))) / n;
    t[0] /= Math.sqrt(Math.PI);
    t[1] = 1 - 2 * x * t[0];
    for (let n = 1; n + 1 < DAWSON_ORDER; n++) t[n + 1] = (-2 * x * t[n] - 2 * t[n - 1]) / (n + 1);
  }
  return table;
}

/**
 * Dawson's integral exp(-x^2) int_0^x exp(t^2) dt of a real number, to 1e-14.
 */
export function dawson(x) {
  const size = Math.abs(x);
  let value = 0;
  if (size < DAWSON_REACH) {
    const j = Math.round(size / DAWSON_STEP), t = size - j * DAWSON_STEP;
    for (let n = DAWSON_ORDER - 1; n >= 0; n--) value = value * t + DAWSON_TABLE[j * DAWSON_ORDER + n];
  } else { // 1/2x (1 + 1/2x^2 + 1 3/(2x^2)^2 + ...)
    const small = 1 / (2 * x * x);
    for (let n = 10; n >= 0; n--) value = 1 + (2 * n + 1) * small * value;
    value /= 2 * size;
  }
  return x < 0 ? -value : value;
}

/**
 * The Faddeeva function of a real number, exp(-x^2) + (2i / sqrt pi) dawson(x), as its real and imaginary part.
 */
export function faddeeva(x) {
  return [Math.exp(-x * x), (2 / Math.sqrt(Math.PI)) * dawson(x)];
}

export const TAIL = 8.6, MIDPOINTS_DOWN_TO = 0.02, MIDPOINTS_WITHOUT_BIAS = 0.1;
export const RAY_STEP = 0.08, RAY_FROM = -3.7, RAY_TO = 37;

/**
 * The moments of relu(s), s = w . x + b, of every neuron given every pattern: the integrals of `mtfl.moments`.
 *
 * They are sums over real nodes. Midpoints would be many where tau / |w| is small. There, for b = 0, the trapezoidal
 * rule takes over in y, u = exp(y - exp(-y)), down to tau = 0; a bias would need the package's complex nodes, and is
 * refused for tau < |w| / 50.
 * @param V (m, r) coordinates in the subspace
 * @param tau (m) norms of the parts outside
 * @param [b] (m) biases, zero by default
 * @returns {{mean: Float64Array, active: Float64Array, first: Float64Array, density: Float64Array, m: number, r: number}}
 *   E[relu(s) | z] (m, K), P(s > 0 | z) (m, K), E[1{s > 0} |h_i| | z] (m, K, r), density of s at 0 given z (m, K).
 */
export function patternMoments(V, tau, b = null) {
  const m = tau.length, r = V.length / m, K = 2 ** r, half = Math.sqrt(2 / Math.PI), toUnit = 2 / Math.sqrt(Math.PI);
  const mean = new Float64Array(m * K), active = new Float64Array(m * K).fill(0.5);
  const first = new Float64Array(m * K * r).fill(half / 2), density = new Float64Array(m * K);
  const re = new Float64Array(K), im = new Float64Array(K), slopeRe = new Float64Array(r), slopeIm = new Float64Array(r);
  for (let j = 0; j < m; j++) {
    const bias = b ? b[j] : 0;
    let norm = tau[j] * tau[j];
    for (let i = 0; i < r; i++) norm += V[j * r + i] ** 2;
    norm = Math.sqrt(norm);
    const wide = tau[j] >= (bias ? MIDPOINTS_DOWN_TO : MIDPOINTS_WITHOUT_BIAS) * norm;
    if (!(norm > 0)) throw new Error("patternMoments: every neuron must be nonzero; got v = 0 and tau = 0. Drop it.");
    if (!wide && bias) throw new Error(`patternMoments: tau must be at least |w| / 50 with a bias; got ${tau[j]}. Clamp it.`);
    const step = (2 * Math.PI) / (TAIL * norm + Math.abs(bias));
    const count = wide ? Math.ceil(TAIL / (tau[j] * step)) : Math.ceil((RAY_TO - RAY_FROM) / RAY_STEP);
    for (let n = 0; n < count; n++) {
      const y = RAY_FROM + n * RAY_STEP;
      const u = wide ? (n + 0.5) * step : Math.exp(y - Math.exp(-y)) / norm;
      const weight = wide ? 1 / (Math.PI * (n + 0.5)) : (RAY_STEP / Math.PI) * (1 + Math.exp(-y)); // of du/u
      const reach = tau[j] * u;
      if (reach > TAIL + 0.5) break;
      const gauss = weight * Math.exp(-0.5 * reach * reach);
      re[0] = bias ? gauss * Math.cos(bias * u) : gauss;
      im[0] = bias ? gauss * Math.sin(bias * u) : 0;
      for (let i = 0, size = 1; i < r; i++, size *= 2) { // E exp(i a |h|), a = +-v_i u, doubles the patterns
        const a = V[j * r + i] * u, x = a * Math.SQRT1_2, c = Math.exp(-x * x), s = toUnit * dawson(x);
        const over = half / (c * c + s * s);
        slopeRe[i] = over * c; // E |h| exp(i a |h|) over E exp(i a |h|); the conjugate for z_i = -1
        slopeIm[i] = a - over * s;
        for (let k = 0; k < size; k++) {
          const p = re[k], q = im[k];
          re[k + size] = p * c - q * s;
          im[k + size] = p * s + q * c;
          re[k] = p * c + q * s;
          im[k] = q * c - p * s;
        }
      }
      for (let k = 0, row = j * K; k < K; k++, row++) {
        active[row] += im[k];
        density[row] += u * re[k];
        for (let i = 0; i < r; i++) {
          first[row * r + i] += im[k] * slopeRe[i] + (k >> i & 1 ? re[k] : -re[k]) * slopeIm[i];
        }
      }
    }
    for (let k = 0, row = j * K; k < K; k++, row++) { // E[1{s > 0} s], by parts in the Gaussian outside
      mean[row] = bias * active[row] + tau[j] * tau[j] * density[row];
      for (let i = 0; i < r; i++) mean[row] += (k >> i & 1 ? 1 : -1) * V[j * r + i] * first[row * r + i];
    }
  }
  return { mean, active, first, density, m, r };
}

/**
 * The moments of leaky ReLUs without biases, psi(s) = relu(s) - leak relu(-s), from those of the ReLU.
 * @param moments of `patternMoments`
 * @param V (m, r) of the same neurons
 * @param {number} leak the slope on the negative side: -1 for the absolute value, 1 for the identity
 */
export function leakyMoments({ mean, active, first, density, m, r }, V, leak) {
  const K = 2 ** r, half = Math.sqrt(2 / Math.PI), kept = 1 - leak, leaky = mean.map((value) => kept * value);
  for (let j = 0; j < m; j++) { // psi(s) = kept relu(s) + leak s
    for (let k = 0; k < K; k++) {
      for (let i = 0; i < r; i++) leaky[j * K + k] += leak * half * (k >> i & 1 ? V[j * r + i] : -V[j * r + i]);
    }
  }
  return { mean: leaky, active, first: first.map((value) => kept * value + leak * half),
    density: density.map((value) => kept * value), m, r };
}

// Steps of the representation

/**
 * How well each neuron knows the tasks: their mean squared correlation with it (m), half of whose gradient is the step.
 * @param moments of `patternMoments` or `leakyMoments`
 * @param kernel (K, K) of a table of tasks or of infinitely many
 */
export function squaredCorrelations({ mean, m, r }, kernel) {
  const K = 2 ** r, squares = new Float64Array(m);
  for (let j = 0; j < m; j++) {
    for (let k = 0; k < K; k++) {
      for (let l = 0; l < K; l++) squares[j] += (mean[j * K + k] * kernel[k * K + l] * mean[j * K + l]) / (K * K);
    }
  }
  return squares;
}

/**
 * The negative population gradient of each neuron: infinitely many inputs, heads one small step from zero.
 * @param moments of `patternMoments`
 * @param kernel (K, K) of a table of tasks or of infinitely many
 * @param {number} [scale] kappa^2 eta_a
 * @returns {{parallel: Float64Array, perpendicular: Float64Array}} coordinates in the subspace (m, r), and the factor
 *   on the part outside (m).
 */
export function stepOfMoments({ mean, first, density, m, r }, kernel, scale = 1) {
  const K = 2 ** r, parallel = new Float64Array(m * r), perpendicular = new Float64Array(m);
  for (let j = 0; j < m; j++) {
    for (let l = 0, row = j * K; l < K; l++, row++) {
      let pull = 0;
      for (let k = 0; k < K; k++) pull += mean[j * K + k] * kernel[k * K + l];
      pull *= scale / (K * K);
      perpendicular[j] += pull * density[row];
      for (let i = 0; i < r; i++) parallel[j * r + i] += (l >> i & 1 ? pull : -pull) * first[row * r + i];
    }
  }
  return { parallel, perpendicular };
}

/**
 * The same for neurons whose moments are not at hand. Changing only the kernel, keep the moments: `stepOfMoments`.
 */
export function populationStep({ V, tau }, kernel, scale = 1) {
  return stepOfMoments(patternMoments(V, tau), kernel, scale);
}

/**
 * The step to first order in |v| / tau, from the tasks' coefficients of degree 0, 1 and 2.
 * @param F (T, K) table of tasks
 */
export function leadingOrderStep({ V, tau }, F, scale = 1) {
  const m = tau.length, r = V.length / m, K = 2 ** r, T = F.length / K, f = walshCoefficients(F, r);
  const drift = new Float64Array(r), operator = new Float64Array(r * r);
  let square = 0;
  for (let t = 0; t < f.length; t += K) square += f[t] * f[t] / T;
  for (let i = 0; i < r; i++) {
    operator[i * r + i] = square;
    for (let t = 0; t < f.length; t += K) {
      drift[i] += f[t] * f[t + (1 << i)] / T;
      for (let j = 0; j < r; j++) {
        operator[i * r + j] += f[t + (1 << i)] * f[t + (1 << j)] / T;
        if (i !== j) operator[i * r + j] += (2 / Math.PI) * f[t] * f[t + (1 << i | 1 << j)] / T;
      }
    }
  }
  const c = scale / (2 * Math.PI), parallel = new Float64Array(m * r), perpendicular = new Float64Array(m);
  for (let n = 0; n < m; n++) {
    let along = 0;
    for (let i = 0; i < r; i++) {
      along += drift[i] * V[n * r + i];
      let sum = tau[n] * drift[i];
      for (let j = 0; j < r; j++) sum += operator[i * r + j] * V[n * r + j];
      parallel[n * r + i] = c * sum;
    }
    perpendicular[n] = c * (square + along / tau[n]);
  }
  return { parallel, perpendicular };
}

/**
 * What a step adds, less the decay: inside the subspace (m, r), and along the part outside (m), which has a sign.
 */
export function learned({ V, tau }, step, decay = 0) {
  return {
    V: step.parallel.map((value, n) => value - decay * V[n]),
    tau: step.perpendicular.map((value, n) => (value - decay) * tau[n]),
  };
}

/**
 * The neurons after the step: W + stepSize (step - decay W).
 */
export function moved({ V, tau }, step, stepSize, decay = 0) {
  const added = learned({ V, tau }, step, decay);
  return {
    V: added.V.map((value, n) => V[n] + stepSize * value),
    tau: added.tau.map((value, n) => Math.abs(tau[n] + stepSize * value)),
  };
}

// How much of the subspace the neurons hold

/** The columns of A (m, n), longest first, turned by one-sided Jacobi rotations until they are orthogonal. */
export function orthogonalColumns(A, n) {
  const columns = Array.from({ length: n }, (_, i) => Float64Array.from({ length: A.length / n }, (_, j) => A[j * n + i]));
  const dot = (x, y) => x.reduce((sum, value, j) => sum + value * y[j], 0);
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep++) {
    turned = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const x = columns[p], y = columns[q], xx = dot(x, x), yy = dot(y, y), xy = dot(x, y);
        if (!(Math.abs(xy) > 1e-15 * Math.sqrt(xx * yy))) continue;
        turned = true;
        const [c, s] = rotation(xx, yy, xy);
        for (let j = 0; j < x.length; j++) [x[j], y[j]] = [c * x[j] - s * y[j], s * x[j] + c * y[j]];
      }
    }
  }
  return columns.map((column) => ({ column, length: Math.sqrt(dot(column, column)) })).sort((a, b) => b.length - a.length);
}

/**
 * Singular values of A (m, n), largest first: small ones keep their digits.
 */
export function singularValues(A, n) {
  return orthogonalColumns(A, n).map(({ length }) => length);
}

/**
 * Where points (C, n) lie in the plane of their two largest principal components, through 0; (C, 2). Of each component
 * the largest coordinate is positive; all are 0 where rounding is all that there is.
 */
export function principalPlaces(points, n) {
  const found = orthogonalColumns(points, n), places = new Float64Array((2 * points.length) / n);
  for (const axis of [0, 1]) {
    const { column, length } = found[axis];
    if (!(length > 1e-9 * found[0].length)) continue;
    const sign = Math.sign(column.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most)));
    column.forEach((value, k) => (places[2 * k + axis] = sign * value));
  }
  return places;
}

/** Cosine and sine of the rotation that makes [[xx, xy], [xy, yy]] diagonal. */
export function rotation(xx, yy, xy) {
  const zeta = (yy - xx) / (2 * xy), t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const c = 1 / Math.hypot(1, t);
  return [c, c * t];
}

/**
 * Share of the squared norm inside the subspace, and sigma_r / sigma_1 of V; both 0 where all of V is 0.
 * @returns {{energy: number, conditioning: number}}
 */
export function recovery({ V, tau }) {
  const size = (values) => values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const scale = Math.max(size(V), size(tau)) || 1;
  const values = singularValues(V.map((value) => value / scale), V.length / tau.length);
  const inside = values.reduce((sum, value) => sum + value * value, 0);
  const outside = tau.reduce((sum, value) => sum + (value / scale) ** 2, 0);
  return {
    energy: inside / (inside + outside || 1),
    conditioning: values.at(-1) / (values[0] || 1),
  };
}

// Relabelled classes

/**
 * T relabellings of C classes, each with the label +1 for half of them; (T, C).
 */
export function relabellings(T, C, rng) {
  const F = new Float64Array(T * C).fill(-1);
  for (let t = 0; t < T; t++) {
    const order = Array.from({ length: C }, (_, c) => c);
    for (let c = C - 1; c > 0; c--) {
      const other = rng.below(c + 1);
      [order[c], order[other]] = [order[other], order[c]];
    }
    for (let c = 0; c < Math.floor(C / 2); c++) F[t * C + order[c]] = 1;
  }
  return F;
}

/** The kernel of infinitely many such tasks; (C, C). */
export function relabellingKernel(C) {
  return Float64Array.from({ length: C * C }, (_, n) => (n % (C + 1) ? -1 / (C - 1 + (C % 2)) : 1));
}

/**
 * The linear half of one step on tasks with the kernel K (C, C) of equally frequent classes with the means R (C, n): the
 * matrix R^T K R / (4 C^2) that it applies to a neuron, and the class means seen through it.
 * @returns {{step: Float64Array, means: Float64Array}} (n, n) and (C, n)
 */
export function relabelledStep(R, K, C) {
  const n = R.length / C, pulled = new Float64Array(C * n), step = new Float64Array(n * n), means = new Float64Array(C * n);
  for (let c = 0; c < C; c++) {
    for (let e = 0; e < C; e++) for (let j = 0; j < n; j++) pulled[c * n + j] += K[c * C + e] * R[e * n + j];
  }
  for (let c = 0; c < C; c++) {
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) step[i * n + j] += (R[c * n + i] * pulled[c * n + j]) / (4 * C * C);
  }
  for (let c = 0; c < C; c++) {
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) means[c * n + j] += R[c * n + i] * step[i * n + j];
  }
  return { step, means };
}

/**
 * The edges of the Marchenko-Pastur law: where the eigenvalues of (1/T) sum_t g_t g_t^T lie for g_t ~ N(0, I_r) as both
 * grow with r / T = ratio.
 * @returns {[number, number]}
 */
export function marchenkoPasturEdges(ratio) {
  return [(1 - Math.sqrt(ratio)) ** 2, (1 + Math.sqrt(ratio)) ** 2];
}

/**
 * Density of the Marchenko-Pastur law at x; for ratio > 1 it has mass 1 / ratio, the rest lies at 0.
 */
export function marchenkoPasturDensity(x, ratio) {
  const [low, high] = marchenkoPasturEdges(ratio);
  return x > low && x < high ? Math.sqrt((high - x) * (x - low)) / (2 * Math.PI * ratio * x) : 0;
}

// Interpolants of least norm

/**
 * How much the slopes of the lines through points (x_i, y_t(x_i)) change at the inner ones.
 * @param x (n) increasing
 * @param Y (T, n)
 * @returns {Float64Array} (T, n - 2)
 */
export function slopeChanges(x, Y) {
  const n = x.length, inner = n - 2, slope = (k, i) => (Y[k + i + 1] - Y[k + i]) / (x[i + 1] - x[i]);
  return Float64Array.from({ length: (Y.length / n) * inner }, (_, k) => {
    const start = Math.floor(k / inner) * n, i = k % inner;
    return slope(start, i + 1) - slope(start, i);
  });
}

/**
 * The gaps between two points in which interpolants of all tasks with the least sum of |kink| differ: where the changes of
 * slope at both ends, as vectors over tasks, are parallel and not 0. One kink inside may take the place of both.
 * @returns {{gaps: number[], at: number[], dips: number[]}} the number of the left point, where that kink stands, and how far it
 *   leads from the straight line: y less y of the line; (gaps, T).
 */
export function ambiguousGaps(x, Y) {
  const n = x.length, inner = n - 2, T = Y.length / n, changes = slopeChanges(x, Y), found = { gaps: [], at: [], dips: [] };
  const product = (i, j) => Array.from({ length: T }, (_, t) => changes[t * inner + i] * changes[t * inner + j]).reduce((sum, part) => sum + part, 0);
  for (let i = 0; i + 1 < inner; i++) {
    const before = Math.sqrt(product(i, i)), after = Math.sqrt(product(i + 1, i + 1));
    if (product(i, i + 1) <= (1 - 1e-9) * before * after) continue; // as it is where one of them is 0
    const width = x[i + 2] - x[i + 1], share = after / (before + after);
    found.gaps.push(i + 1);
    found.at.push(x[i + 1] + share * width);
    for (let t = 0; t < T; t++) found.dips.push(-(changes[t * inner + i] + changes[t * inner + i + 1]) * share * (1 - share) * width);
  }
  return found;
}

// Inputs of several sizes

/**
 * The negative population gradient of each neuron on inputs N(0, Sigma) and any tasks sign(M . x) and -sign(M . x).
 * @param W (m, d) neurons without bias
 * @param Sigma (d, d)
 * @param M (d)
 * @returns {Float64Array} (m, d): Sigma M (M . Sigma w) / (2 pi M . Sigma M)
 */
export function colouredStep(W, Sigma, M) {
  const d = M.length, dot = (x, y, from = 0) => y.reduce((sum, value, i) => sum + value * x[from + i], 0);
  const carried = Float64Array.from(M, (_, i) => dot(Sigma, M, i * d)), scale = 2 * Math.PI * dot(M, carried);
  return Float64Array.from(W, (_, n) => (carried[n % d] * dot(W, carried, n - (n % d))) / scale);
}

/**
 * The same from a batch for the heads and a fresh one for the neurons, each of inputs X (n, d) with labels y (n).
 */
export function sampledStep(W, heads, fresh, d) {
  const step = new Float64Array(W.length), seen = ({ X }, i, from) => {
    let score = 0;
    for (let k = 0; k < d; k++) score += W[from + k] * X[i * d + k];
    return Math.max(0, score);
  };
  for (let from = 0; from < W.length; from += d) {
    const head = heads.y.reduce((sum, label, i) => sum + label * seen(heads, i, from), 0) / heads.y.length;
    fresh.y.forEach((label, i) => {
      if (seen(fresh, i, from) > 0) for (let k = 0; k < d; k++) step[from + k] += (head * label * fresh.X[i * d + k]) / fresh.y.length;
    });
  }
  return step;
}

// Reading examples in context

/**
 * The arc-cosine kernel E relu(w . x) relu(w . y) of w ~ N(0, I), from |x|^2, |y|^2 and x . y.
 */
export function arcCosine(xx, yy, xy) {
  const size = Math.sqrt(xx * yy), cosine = Math.max(-1, Math.min(1, xy / (size || 1))), angle = Math.acos(cosine);
  return (size * (Math.sin(angle) + (Math.PI - angle) * cosine)) / (2 * Math.PI);
}

/**
 * The Cholesky factor L (n, n) of G + ridge I; null if that is not positive definite.
 * @param G (n, n), of which the lower half is read, with rows `wide` apart
 */
export function choleskyFactor(G, n, wide = n, ridge = 0) {
  const L = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = G[i * wide + j] + (i === j ? ridge : 0);
      for (let k = 0, x = i * n, y = j * n; k < j; k++) sum -= L[x + k] * L[y + k];
      if (i === j && !(sum > 0)) return null;
      L[i * n + j] = i === j ? Math.sqrt(sum) : sum / L[j * n + j];
    }
  }
  return L;
}

/**
 * What kernel ridge regression needs of its inputs as examples come one by one.
 * @param K (n, n) kernel of the examples
 * @param cross (n, q) kernel of examples and queries
 * @param {number} ridge
 * @returns {{L: Float64Array, P: Float64Array}} the Cholesky factor L of K + ridge I (n, n), and L^-1 cross (n, q)
 */
export function ridgeFactors(K, cross, ridge) {
  const n = Math.round(Math.sqrt(K.length)), q = cross.length / n, L = choleskyFactor(K, n, n, ridge), P = Float64Array.from(cross);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const weight = L[i * n + k];
      for (let a = 0; a < q; a++) P[i * q + a] -= weight * P[k * q + a];
    }
    for (let a = 0; a < q; a++) P[i * q + a] /= L[i * n + i];
  }
  return { L, P };
}

/**
 * The answers of kernel ridge regression after the first 1, 2, ... n examples with labels y (n).
 * @returns {Float64Array} (n, q)
 */
export function ridgeAnswers({ L, P }, y) {
  const n = y.length, q = P.length / n, z = new Float64Array(n), answers = new Float64Array(n * q);
  for (let i = 0; i < n; i++) { // L z = y; each example adds its own term
    z[i] = y[i];
    for (let k = 0; k < i; k++) z[i] -= L[i * n + k] * z[k];
    z[i] /= L[i * n + i];
    for (let a = 0; a < q; a++) answers[i * q + a] = (i ? answers[(i - 1) * q + a] : 0) + z[i] * P[i * q + a];
  }
  return answers;
}
