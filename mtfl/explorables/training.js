/**
 * A two-layer network in training: what `mtfl.pretrain` does, on the page.
 *
 * Inputs come in groups, and each group has heads of its own: inputs that tasks share are one group with T heads, inputs of
 * each task are T groups with one head. A batch is walked block by block, so that no array is larger than the block needs.
 * Weights are W (m, d), b (m) and A (T, m), tasks F (T, K), the subspace M (d, r); arrays are flat and row-major.
 *
 * `tests/test_training.py` compares it with the package, batch for batch, under Node.
 */
import { choleskyFactor, patternMoments, singularValues, stepOfMoments, recovery, moved } from "./engine.js";
import { openProducts, stride, upTo } from "./products.js";

// Activations

/** The activations of `mtfl.ACTIVATIONS`: functions of s and their slopes. */
export function activationOf(name) {
  const sigmoid = (s) => 1 / (1 + Math.exp(-s)), cdf = name === "GELU" ? normalDistribution() : null;
  const density = (s) => Math.exp(-0.5 * s * s) / Math.sqrt(2 * Math.PI);
  const all = {
    "ReLU": [(s) => (s > 0 ? s : 0), (s) => (s > 0 ? 1 : 0)],
    "leaky ReLU": [(s) => (s > 0 ? s : 0.1 * s), (s) => (s > 0 ? 1 : 0.1)],
    "GELU": [(s) => s * cdf(s), (s) => cdf(s) + s * density(s)],
    "SiLU": [(s) => s * sigmoid(s), (s) => sigmoid(s) * (1 + s * (1 - sigmoid(s)))],
    "softplus": [softplus, sigmoid],
    "ELU": [(s) => (s > 0 ? s : Math.expm1(s)), (s) => (s > 0 ? 1 : Math.exp(s))],
    "tanh": [Math.tanh, (s) => 1 - Math.tanh(s) ** 2],
    "identity": [(s) => s, () => 1],
    "absolute value": [Math.abs, Math.sign],
    "cosine": [Math.cos, (s) => -Math.sin(s)],
  };
  if (!Object.hasOwn(all, name)) throw new Error(`activationOf: name must be one of ${Object.keys(all).join(", ")}; got ${name}. Choose one of these words.`);
  return { value: all[name][0], slope: all[name][1] };
}

/** log(1 + exp(s)), without overflow. */
export function softplus(s) {
  return Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s)));
}

/** The distribution function of a standard normal variable, to 1e-15: Taylor's series around multiples of 1/8. */
export function normalDistribution() {
  const step = 1 / 8, reach = 9, order = 10, rows = reach / step + 1, table = new Float64Array(rows * order);
  for (let j = 0; j < rows; j++) {
    const x = j * step, density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI), row = table.subarray(j * order);
    let sum = 0, before = 0, hermite = 1, factorial = 1;
    for (let n = 0, term = x; term > 1e-20; n++, term *= (x * x) / (2 * n + 1)) sum += term;
    row[0] = 0.5 + density * sum;
    for (let n = 1; n < order; n++) { // the n-th derivative is (-1)^(n - 1) He_(n - 1)(x) density(x)
      factorial *= n;
      row[n] = ((n % 2 ? 1 : -1) * hermite * density) / factorial;
      [before, hermite] = [hermite, x * hermite - (n - 1) * before];
    }
  }
  return (x) => {
    const size = Math.abs(x);
    if (!(size < reach)) return Number.isNaN(x) ? NaN : x < 0 ? 0 : 1;
    const j = Math.round(size / step), t = size - j * step;
    let value = 0;
    for (let n = order - 1; n >= 0; n--) value = value * t + table[j * order + n];
    return x < 0 ? 1 - value : value;
  };
}

// What is drawn

/**
 * A function that fills an array with standard normal numbers (Marsaglia's polar method, 32 bits each). What it draws does
 * not depend on how many are asked for at a time.
 */
export function normalNumbers(rng) {
  let spare = NaN;
  return (to, count) => {
    let n = 0;
    if (count > 0 && !Number.isNaN(spare)) {
      to[n++] = spare;
      spare = NaN;
    }
    while (n < count) {
      const x = rng.next() / 2147483648 - 1, y = rng.next() / 2147483648 - 1, square = x * x + y * y;
      if (!(square > 0 && square < 1)) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      to[n++] = x * scale;
      if (n < count) to[n++] = y * scale;
      else spare = y * scale;
    }
  };
}

/** An orthonormal basis (d, r) of a uniformly random subspace. */
export function randomSubspace(d, r, rng) {
  const M = Float64Array.from({ length: d * r }, () => rng.normal());
  for (let i = 0; i < r; i++) {
    for (let again = 0; again < 2; again++) {
      for (let j = 0; j < i; j++) {
        let along = 0;
        for (let k = 0; k < d; k++) along += M[k * r + i] * M[k * r + j];
        for (let k = 0; k < d; k++) M[k * r + i] -= along * M[k * r + j];
      }
    }
    let square = 0;
    for (let k = 0; k < d; k++) square += M[k * r + i] ** 2;
    for (let k = 0; k < d; k++) M[k * r + i] /= Math.sqrt(square);
  }
  return M;
}

/**
 * A law of inputs: its subspace M (d, r), and `sample(X, rows)`, which fills the first rows of X (n, d).
 * @param {string} law "gaussian", "hypercube" (M are the first axes) or "coloured" (variances 1, 2^-1, 3^-1, ... along
 *   the axes, scaled to have the mean 1, as those of `mtfl.ColouredInputs.power_law` with the exponent 1)
 * @param {object} place the generator of the subspace
 * @param {object} rng the generator of the inputs
 */
export function inputsOf(law, d, r, place, rng) {
  if (law === "hypercube") {
    const M = Float64Array.from({ length: d * r }, (_, n) => (Math.floor(n / r) === n % r ? 1 : 0));
    let bits = 0, left = 0;
    const sample = (X, rows) => {
      for (let n = 0; n < rows * d; n++, left--, bits >>>= 1) {
        if (!left) [bits, left] = [rng.next(), 32];
        X[n] = bits & 1 ? 1 : -1;
      }
    };
    return { M, sample };
  }
  const M = randomSubspace(d, r, place), fill = normalNumbers(rng);
  if (law === "gaussian") return { M, sample: (X, rows) => fill(X, rows * d) };
  if (law !== "coloured") throw new Error(`inputsOf: law must be gaussian, hypercube or coloured; got ${law}. Choose one of these words.`);
  const variances = Float64Array.from({ length: d }, (_, j) => 1 / (j + 1)), mean = variances.reduce((sum, x) => sum + x, 0) / d;
  const sizes = variances.map((x) => Math.sqrt(x / mean));
  const sample = (X, rows) => {
    fill(X, rows * d);
    for (let i = 0, n = 0; i < rows; i++) for (let j = 0; j < d; j++, n++) X[n] *= sizes[j];
  };
  return { M, sample };
}

/** Weights W (m, d) with rows from N(0, I_d / d). */
export function randomWeights(m, d, rng) {
  const W = new Float64Array(m * d);
  normalNumbers(rng)(W, m * d);
  for (let n = 0; n < W.length; n++) W[n] /= Math.sqrt(d);
  return W;
}

/** A coin that says of label after label whether it is flipped, with this probability; null where none ever is. */
export function flipsOf(probability, rng) {
  return probability > 0 ? () => rng.uniform() < probability : null;
}

/** Tasks with the mean label of each taken off; (T, K). */
export function centredTasks(F, K) {
  const result = Float64Array.from(F);
  for (let start = 0; start < F.length; start += K) {
    let mean = 0;
    for (let k = 0; k < K; k++) mean += F[start + k] / K;
    for (let k = 0; k < K; k++) result[start + k] -= mean;
  }
  return result;
}

// Training

export const BLOCK = 131072; // features in a block, which then stays in the cache of a core

/**
 * A network in training. `round()` is one round: heads on a fresh batch, then W, and b where asked for, on another one.
 * @param {object} start W, b, A, M and F
 * @param {object} how `batchSize`; `perTask`: whether each task has inputs of its own; `headStep` and `headSteps`, or
 *   `penalty` of heads that solve ridge regression, or 0; `fresh`: whether heads start from zero in each round;
 *   `representationStep`, a rate where `adam` is true; `weightDecay`; `loss`: "hinge" or "logistic"; `activation`;
 *   `trainBiases`
 * @param {object} draws `sample(X, rows)`, and `flip()`: whether the next label is flipped, or null
 * @param {object} [Kind] Float32Array or Float64Array
 * @param {boolean} [quick] whether WebAssembly may be used
 * @returns an object with `W`, `b`, `A`, which move; `quick`; `rounds`, how many were done; and `round()`, which returns
 *   the loss and the accuracy on the second batch after the heads' step, and fails once a weight is not finite.
 */
export function openTraining({ W: W0, b: b0, A: A0, M, F }, how, { sample, flip = null }, Kind = Float32Array, quick = true) {
  const m = b0.length, d = W0.length / m, T = A0.length / m, K = F.length / T, r = M.length / d, n = how.batchSize;
  const groups = how.perTask ? T : 1, heads = T / groups, steps = how.penalty ? 1 : how.headSteps;
  const tall = Math.min(n, Math.max(64, Math.ceil(BLOCK / m))), again = steps > 1 ? n : 0; // several steps of the heads are made on one batch
  const W = Kind.from(W0), b = Kind.from(b0), A = Kind.from(A0), X = new Kind(tall * d), Y = new Kind(tall * heads), at = new Uint8Array(tall);
  const labels = new Kind(T * K); // (groups, K, heads): the labels of an input lie side by side
  for (let t = 0; t < T; t++) for (let k = 0; k < K; k++) labels[(Math.floor(t / heads) * K + k) * heads + (t % heads)] = F[t * K + k];
  const results = { S: [tall, m], G: [tall, heads], P: [tall, m], moveA: [heads, m], moveW: [m, d], gram: how.penalty ? [m, m] : [0, 0] };
  const side = (count) => upTo(count, 8), most = Math.max(side(tall) * side(Math.max(m, d, heads)), side(m) * side(Math.max(d, heads)));
  const { S, G, P, moveA, moveW, gram, product, quick: isQuick } = openProducts(results, most, Kind, quick);
  const isReLU = how.activation === "ReLU", { value, slope } = activationOf(how.activation), H = isReLU ? S : new Kind(S.length);
  const withBiases = how.trainBiases || b.some((x) => x !== 0), moveB = new Kind(m), wide = stride(m), across = stride(heads);
  const keptH = new Kind(again * wide), keptY = new Kind(again * heads);
  const hinge = how.loss === "hinge", momentsW = how.adam && adamMoments(m * d), momentsB = how.adam && adamMoments(m);
  if (!hinge && how.loss !== "logistic") throw new Error(`openTraining: loss must be hinge or logistic; got ${how.loss}. Choose one of these words.`);
  const training = { W, b, A, rounds: 0, quick: isQuick, round };

  /** The next rows of a group's batch: inputs X, labels Y, features H, and S, of which H is the activation. */
  function draw(group, rows) {
    sample(X, rows);
    for (let i = 0; i < rows; i++) {
      let pattern = 0;
      for (let j = 0; j < r; j++) {
        let along = 0;
        for (let k = 0; k < d; k++) along += X[i * d + k] * M[k * r + j];
        if (along >= 0) pattern |= 1 << j;
      }
      at[i] = pattern;
    }
    for (let i = 0, y = 0; i < rows; i++) {
      for (let t = 0, from = (group * K + at[i]) * heads; t < heads; t++) Y[y++] = labels[from + t];
    }
    if (flip) for (let y = 0; y < rows * heads; y++) if (flip()) Y[y] = -Y[y];
    product(S, [X, d, 1], [W, 1, d], rows, d, m, false);
    for (let i = 0; i < rows; i++) {
      const from = i * wide, to = from + m;
      if (withBiases) for (let s = from; s < to; s++) S[s] += b[s - from];
      if (isReLU) for (let s = from; s < to; s++) S[s] = S[s] > 0 ? S[s] : 0;
      else for (let s = from; s < to; s++) H[s] = value(S[s]);
    }
  }

  /** What pulls on the scores of a block, -l'(y g) y, in G (rows, heads); adds loss and right answers up in `sums`. */
  function pulls(group, rows, sums) {
    product(G, [H, wide, 1], [A.subarray(group * heads * m), 1, m], rows, m, heads, false);
    for (let i = 0, y = 0; i < rows; i++) {
      for (let g = i * across, end = g + heads; g < end; g++, y++) {
        const margin = Y[y] * G[g];
        if (sums) {
          sums.loss += hinge ? (margin < 1 ? 1 - margin : 0) : softplus(-margin);
          if (margin > 0) sums.correct++;
        }
        G[g] = hinge ? (margin < 1 ? Y[y] : 0) : Y[y] / (1 + Math.exp(margin));
      }
    }
  }

  function stepHeads() {
    if (how.fresh) A.fill(0);
    for (let group = 0; group < groups; group++) {
      for (let step = 0; step < steps; step++) {
        moveA.fill(0);
        for (let from = 0; from < n; from += tall) {
          const rows = Math.min(tall, n - from);
          if (step === 0) draw(group, rows);
          else {
            H.set(keptH.subarray(from * wide, (from + rows) * wide));
            Y.set(keptY.subarray(from * heads, (from + rows) * heads));
          }
          if (again && step === 0) {
            keptH.set(H.subarray(0, rows * wide), from * wide);
            keptY.set(Y.subarray(0, rows * heads), from * heads);
          }
          pulls(group, rows, null);
          product(moveA, [G, 1, across], [H, wide, 1], heads, rows, m, true);
        }
        const first = group * heads * m, scale = how.headStep / n;
        for (let t = 0; t < heads; t++) for (let j = 0; j < m; j++) A[first + t * m + j] += scale * moveA[t * wide + j];
      }
    }
  }

  function solveHeads() {
    gram.fill(0);
    moveA.fill(0);
    for (let from = 0; from < n; from += tall) {
      const rows = Math.min(tall, n - from);
      draw(0, rows);
      product(gram, [H, 1, wide], [H, wide, 1], m, rows, m, true);
      product(moveA, [Y, 1, heads], [H, wide, 1], heads, rows, m, true);
    }
    for (let j = 0; j < m; j++) gram[j * wide + j] += how.penalty;
    if (!solveSymmetric(gram, wide, m, moveA, wide, heads)) {
      throw new Error(`training: penalty must be large enough for these numbers; got ${how.penalty} in round ${training.rounds + 1}. Increase it.`);
    }
    for (let t = 0; t < heads; t++) for (let j = 0; j < m; j++) A[t * m + j] = moveA[t * wide + j];
  }

  function stepRepresentation() {
    const sums = { loss: 0, correct: 0 }, step = how.representationStep, count = n * T;
    moveW.fill(0);
    moveB.fill(0);
    for (let group = 0; group < groups; group++) {
      for (let from = 0; from < n; from += tall) {
        const rows = Math.min(tall, n - from);
        draw(group, rows);
        pulls(group, rows, sums);
        product(P, [G, across, 1], [A.subarray(group * heads * m), m, 1], rows, heads, m, false);
        for (let i = 0; i < rows; i++) {
          const first = i * wide, end = first + m;
          if (isReLU) for (let s = first; s < end; s++) P[s] = S[s] > 0 ? P[s] : 0;
          else for (let s = first; s < end; s++) P[s] *= slope(S[s]);
          if (how.trainBiases) for (let s = first; s < end; s++) moveB[s - first] += P[s];
        }
        product(moveW, [P, 1, wide], [X, d, 1], m, rows, d, true);
      }
    }
    const kept = 1 - step * how.weightDecay, row = stride(d);
    if (how.adam) {
      momentsW.begin();
      momentsB.begin();
    }
    for (let j = 0, w = 0; j < m; j++) {
      for (let k = 0; k < d; k++, w++) {
        const gradient = moveW[j * row + k] / count;
        W[w] = kept * W[w] + step * (how.adam ? momentsW.direction(w, gradient) : gradient);
      }
      if (how.trainBiases) b[j] += step * (how.adam ? momentsB.direction(j, moveB[j] / count) : moveB[j] / count);
    }
    return { loss: sums.loss / count, accuracy: sums.correct / count };
  }

  function round() {
    if (how.penalty) solveHeads();
    else stepHeads();
    const found = stepRepresentation(), finite = (array) => array.every((x) => x - x === 0);
    if (!finite(W) || !finite(A) || !finite(b)) {
      throw new Error(`training: every weight must be finite; got NaN or infinity in round ${training.rounds + 1}. `
        + "Training diverged: reduce the steps or the weight decay.");
    }
    training.rounds++;
    return found;
  }
  return training;
}

/** Adam's running means of gradients and of their squares, with the usual constants (Kingma and Ba, 2015). */
export function adamMoments(count) {
  const mean = new Float64Array(count), square = new Float64Array(count);
  let first = 1, second = 1;
  return {
    begin() {
      first *= 0.9;
      second *= 0.999;
    },
    direction(n, gradient) {
      mean[n] += 0.1 * (gradient - mean[n]);
      square[n] += 0.001 * (gradient * gradient - square[n]);
      return mean[n] / (1 - first) / (Math.sqrt(square[n] / (1 - second)) + 1e-8);
    },
  };
}

/**
 * Solve G a = c for each row c of C, in place, by the Cholesky factor of the symmetric matrix G; false if it is not
 * positive definite.
 * @param G (m, m) with rows `wide` apart
 * @param C (count, m) with rows `apart` apart
 */
export function solveSymmetric(G, wide, m, C, apart, count) {
  const L = choleskyFactor(G, m, wide);
  if (!L) return false;
  const a = new Float64Array(m);
  for (let t = 0; t < count; t++) {
    for (let i = 0; i < m; i++) {
      let sum = C[t * apart + i];
      for (let k = 0; k < i; k++) sum -= L[i * m + k] * a[k];
      a[i] = sum / L[i * m + i];
    }
    for (let i = m - 1; i >= 0; i--) {
      a[i] /= L[i * m + i];
      for (let k = 0; k < i; k++) a[k] -= L[i * m + k] * a[i];
    }
    for (let i = 0; i < m; i++) C[t * apart + i] = a[i];
  }
  return true;
}

// What is measured

/** Energy and conditioning of weights W (m, d) in the subspace M (d, r), and the coordinates V = W M (m, r). */
export function measureWeights(W, M, d, r) {
  const m = W.length / d, V = new Float64Array(m * r);
  let total = 0, inside = 0;
  for (let j = 0; j < m; j++) {
    for (let k = 0; k < d; k++) {
      const w = W[j * d + k];
      total += w * w;
      for (let i = 0; i < r; i++) V[j * r + i] += w * M[k * r + i];
    }
    for (let i = 0; i < r; i++) inside += V[j * r + i] ** 2;
  }
  const values = singularValues(V, r);
  return { energy: Math.min(1, inside / total), conditioning: values[r - 1] / values[0], V };
}

/**
 * Eigenvalues of a symmetric matrix (n, n), largest first, and eigenvectors, one a row: Householder's reflections to three
 * diagonals, then QL steps with implicit shifts.
 * @returns {{values: Float64Array, vectors: Float64Array}}
 */
export function symmetricEigen(matrix, n) {
  const Q = Float64Array.from(matrix), D = new Float64Array(n), E = new Float64Array(n); // after Bowdler, Martin, Reinsch and Wilkinson, 1968
  for (let i = n - 1; i > 0; i--) {
    let scale = 0, h = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(Q[i * n + k]);
    if (i === 1 || scale === 0) E[i] = Q[i * n + i - 1];
    else {
      for (let k = 0; k < i; k++) h += (Q[i * n + k] /= scale) ** 2;
      const f = Q[i * n + i - 1], g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h);
      E[i] = scale * g;
      h -= f * g;
      Q[i * n + i - 1] = f - g;
      let along = 0;
      for (let j = 0; j < i; j++) {
        Q[j * n + i] = Q[i * n + j] / h;
        let sum = 0;
        for (let k = 0; k <= j; k++) sum += Q[j * n + k] * Q[i * n + k];
        for (let k = j + 1; k < i; k++) sum += Q[k * n + j] * Q[i * n + k];
        E[j] = sum / h;
        along += E[j] * Q[i * n + j];
      }
      const half = along / (2 * h);
      for (let j = 0; j < i; j++) {
        const f = Q[i * n + j], g = (E[j] -= half * f);
        for (let k = 0; k <= j; k++) Q[j * n + k] -= f * E[k] + g * Q[i * n + k];
      }
    }
    D[i] = h;
  }
  D[0] = E[0] = 0;
  for (let i = 0; i < n; i++) {
    if (D[i]) {
      for (let j = 0; j < i; j++) {
        let sum = 0;
        for (let k = 0; k < i; k++) sum += Q[i * n + k] * Q[k * n + j];
        for (let k = 0; k < i; k++) Q[k * n + j] -= sum * Q[k * n + i];
      }
    }
    D[i] = Q[i * n + i];
    Q[i * n + i] = 1;
    for (let j = 0; j < i; j++) Q[j * n + i] = Q[i * n + j] = 0;
  }
  const R = new Float64Array(n * n); // rows are easier to turn than columns
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) R[j * n + i] = Q[i * n + j];
  E.copyWithin(0, 1);
  E[n - 1] = 0;
  for (let l = 0; l < n; l++) {
    for (let turn = 0; turn < 60; turn++) {
      let end = l;
      while (end < n - 1 && Math.abs(E[end]) > 2 ** -52 * (Math.abs(D[end]) + Math.abs(D[end + 1]))) end++;
      if (end === l) break;
      let g = (D[l + 1] - D[l]) / (2 * E[l]), root = Math.hypot(g, 1), s = 1, c = 1, p = 0, i = end - 1;
      g = D[end] - D[l] + E[l] / (g + (g < 0 ? -root : root));
      for (; i >= l; i--) {
        const f = s * E[i], b = c * E[i];
        root = Math.hypot(f, g);
        E[i + 1] = root;
        if (root === 0) {
          D[i + 1] -= p;
          E[end] = 0;
          break;
        }
        s = f / root;
        c = g / root;
        g = D[i + 1] - p;
        root = (D[i] - g) * s + 2 * c * b;
        p = s * root;
        D[i + 1] = g + p;
        g = c * root - b;
        for (let k = 0, x = i * n, y = x + n; k < n; k++, x++, y++) {
          const upper = R[y], lower = R[x];
          R[y] = s * lower + c * upper;
          R[x] = c * lower - s * upper;
        }
      }
      if (root === 0 && i >= l) continue;
      D[l] -= p;
      E[l] = g;
      E[end] = 0;
    }
  }
  const order = Array.from(D.keys()).sort((x, y) => D[y] - D[x]), vectors = new Float64Array(n * n);
  order.forEach((from, to) => vectors.set(R.subarray(from * n, (from + 1) * n), to * n));
  return { values: Float64Array.from(order, (from) => D[from]), vectors };
}

/**
 * Singular values of W (m, d), largest first, and its leading right singular vectors (count, d): the directions that the
 * layer itself has found, known to it without the subspace. They come from W W^T or W^T W, so that values below 1e-8 of the
 * largest are lost. Of each direction the largest coordinate is positive.
 */
export function spectrumOf(W, d, count) {
  const m = W.length / d, few = Math.min(m, d), gram = new Float64Array(few * few), directions = new Float64Array(count * d);
  if (m < d) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k < d; k++) sum += W[i * d + k] * W[j * d + k];
        gram[i * few + j] = gram[j * few + i] = sum;
      }
    }
  } else {
    for (let row = 0; row < m; row++) {
      for (let i = 0; i < d; i++) for (let j = 0, w = W[row * d + i]; j <= i; j++) gram[i * few + j] += w * W[row * d + j];
    }
    for (let i = 0; i < d; i++) for (let j = 0; j < i; j++) gram[j * few + i] = gram[i * few + j];
  }
  const { values, vectors } = symmetricEigen(gram, few);
  for (let n = 0; n < Math.min(count, few); n++) {
    const direction = directions.subarray(n * d, (n + 1) * d);
    if (m < d) for (let j = 0; j < m; j++) for (let k = 0; k < d; k++) direction[k] += vectors[n * few + j] * W[j * d + k];
    else direction.set(vectors.subarray(n * few, (n + 1) * few));
    let length = 0, largest = 0;
    for (const x of direction) {
      length += x * x;
      if (Math.abs(x) > Math.abs(largest)) largest = x;
    }
    for (let k = 0; k < d; k++) direction[k] *= Math.sign(largest) / (Math.sqrt(length) || 1);
  }
  return { values: values.map((value) => Math.sqrt(Math.max(0, value))), directions };
}

/**
 * Training with infinitely many inputs, round by round, while margins stay below 1: `mtfl.population_flow`.
 * @param {object} neurons V and tau
 * @param kernel (K, K)
 * @param {object} how `headStep`, `representationStep`, `weightDecay`, `loss`, `fresh` as for `openTraining`
 * @returns {() => {energy: number, conditioning: number, margin: number}} makes the next round
 */
export function openFlow(neurons, kernel, how) {
  const kappa = how.loss === "hinge" ? 1 : 0.5, K = Math.sqrt(kernel.length), unit = Float64Array.from(kernel, (_, n) => (n % (K + 1) ? 0 : 1));
  let sums = new Float64Array(neurons.tau.length * K); // of the moments so far, by which the heads have moved
  return () => {
    const moments = patternMoments(neurons.V, neurons.tau), pull = new Float64Array(sums.length);
    sums = how.fresh ? moments.mean : sums.map((sum, n) => sum + moments.mean[n]);
    let margin = 0;
    for (let j = 0; j < sums.length; j += K) {
      for (let l = 0; l < K; l++) {
        for (let k = 0; k < K; k++) pull[j + l] += kappa * how.headStep * sums[j + k] * kernel[k * K + l];
        margin += (pull[j + l] * moments.mean[j + l]) / (K * K);
      }
    }
    const step = stepOfMoments({ ...moments, mean: pull }, unit, kappa);
    neurons = moved(neurons, step, how.representationStep, how.weightDecay);
    return { ...recovery(neurons), margin };
  };
}

// New tasks

/**
 * Features for new tasks: W scaled so that its rows have the root-mean-square length 1, with biases from U(-1, 1), as those
 * of `mtfl.FrozenFeatures.of`.
 */
export function frozenFeatures(W, m, activation, rng) {
  let square = 0;
  for (const w of W) square += w * w;
  const d = W.length / m, scale = Math.sqrt(m / square), { value } = activationOf(activation);
  const scaled = Float64Array.from(W, (w) => scale * w), b = Float64Array.from({ length: m }, () => 2 * rng.uniform() - 1);
  return { m, d, W: scaled, b, features: (X, rows, H = new Float64Array(rows * (m + 1))) => {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < m; j++) {
        let s = b[j];
        for (let k = 0; k < d; k++) s += X[i * d + k] * scaled[j * d + k];
        H[i * (m + 1) + j] = value(s);
      }
      H[i * (m + 1) + m] = 1; // the head's constant
    }
    return H;
  } };
}

/**
 * Accuracy on new inputs of a head, with a constant, that ridge regression fits to labelled ones of a task, features frozen.
 * @param X (n, d) and y (n): the examples
 * @param newX (tests, d) and newY (tests)
 */
export function transferAccuracy({ m, features }, X, y, newX, newY, penalty) {
  const n = y.length, size = m + 1, H = features(X, n), gram = new Float64Array(size * size), head = new Float64Array(size);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < size; j++) {
      const h = H[i * size + j];
      head[j] += y[i] * h;
      if (h) for (let k = 0; k <= j; k++) gram[j * size + k] += h * H[i * size + k];
    }
  }
  for (let j = 0; j < size; j++) gram[j * size + j] += penalty;
  if (!solveSymmetric(gram, size, size, head, size, 1)) {
    throw new Error(`transferAccuracy: penalty must be large enough for these numbers; got ${penalty}. Increase it.`);
  }
  const few = 200, G = new Float64Array(few * size), d = newX.length / newY.length; // all at a time need much room
  let right = 0;
  for (let first = 0; first < newY.length; first += few) {
    const rows = Math.min(few, newY.length - first);
    features(newX.subarray(first * d, (first + rows) * d), rows, G);
    for (let i = 0; i < rows; i++) {
      let score = 0;
      for (let j = 0; j < size; j++) score += G[i * size + j] * head[j];
      if (score * newY[first + i] > 0) right++;
    }
  }
  return right / newY.length;
}
