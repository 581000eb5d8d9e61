/**
 * Products of matrices for the laboratory, which trains a network on the page.
 *
 * A product is made tile by tile of 4 x 8 results, out of copies of its factors in which what a tile needs lies side by side.
 * In single precision the tiles are made by instructions that work on four numbers at once, where the browser has
 * WebAssembly and lets a page use it: `kernelBytes` writes the few lines of it. Elsewhere, and in double precision,
 * JavaScript makes them.
 */

export const TILE_ROWS = 4, TILE_COLUMNS = 8;

/** The next multiple of a step. */
export function upTo(count, step) {
  return Math.ceil(count / step) * step;
}

/**
 * Results of products, and the function that makes them.
 *
 * A result (rows, columns) lies in an array whose rows have a stride, `stride(columns)`, and which has room for some more
 * rows; what stands beside the result is not to be read.
 * @param {object} results { name: [rows, columns] }
 * @param {number} most numbers of the largest factor, with its sides rounded up to 8
 * @param {object} Kind Float32Array or Float64Array
 * @param {boolean} quick whether WebAssembly may be used
 * @returns an object with the arrays by name, `quick`: whether WebAssembly is, and
 *   `product(C, [L, i, k], [R, k, j], rows, inner, columns, more)`: make C = L R, or C += L R where more is true, of factors
 *   whose neighbours along each of their two sides are i and k, or k and j numbers apart.
 */
export function openProducts(results, most, Kind, quick) {
  const sizes = Object.entries(results).map(([name, [rows, columns]]) => [name, upTo(rows, TILE_ROWS) * stride(columns)]);
  sizes.push(["left", most], ["right", most]);
  const total = sizes.reduce((sum, [, size]) => sum + upTo(size, 4), 0), memory = quick && Kind === Float32Array && kernelMemory(4 * total);
  const buffer = memory ? memory.buffer : new ArrayBuffer(total * Kind.BYTES_PER_ELEMENT), kernel = memory && openKernel(memory), arrays = {};
  let offset = 0;
  for (const [name, size] of sizes) {
    arrays[name] = new Kind(buffer, offset, size);
    offset += upTo(size, 4) * Kind.BYTES_PER_ELEMENT;
  }
  const { left, right } = arrays;
  const product = (C, [L, rowStep, leftStep], [R, rightStep, columnStep], rows, inner, columns, more) => {
    const bands = Math.ceil(rows / TILE_ROWS), panels = Math.ceil(columns / TILE_COLUMNS), wide = stride(columns);
    packTiles(left, L, TILE_ROWS, rows, rowStep, inner, leftStep);
    packTiles(right, R, TILE_COLUMNS, columns, columnStep, inner, rightStep);
    if (kernel) return kernel(bands, panels, inner, left.byteOffset, right.byteOffset, C.byteOffset, 4 * wide, more ? 1 : 0);
    for (let band = 0; band < bands; band++) {
      for (let panel = 0; panel < panels; panel++) {
        const at = band * TILE_ROWS * wide + panel * TILE_COLUMNS, from = band * TILE_ROWS * inner, other = panel * TILE_COLUMNS * inner;
        halfTile(C, at, wide, left, from, right, other, inner, more);
        halfTile(C, at + 4, wide, left, from, right, other + 4, inner, more);
      }
    }
  };
  return { ...arrays, product, quick: Boolean(kernel) };
}

/** How far apart the rows of a result lie. */
export function stride(columns) {
  return upTo(columns, TILE_COLUMNS);
}

/** Copy a factor: `size` lines at a time, number by number along the inner side; lines beyond the last are 0. */
export function packTiles(to, from, size, lines, lineStep, inner, innerStep) {
  for (let first = 0, start = 0; first < lines; first += size, start += size * inner) {
    const there = Math.min(size, lines - first), base = first * lineStep;
    if (lineStep === 1) {
      for (let k = 0, at = base, place = start; k < inner; k++, at += innerStep, place += size) {
        for (let line = 0; line < there; line++) to[place + line] = from[at + line];
      }
    } else {
      for (let line = 0; line < there; line++) {
        for (let k = 0, at = base + line * lineStep, place = start + line; k < inner; k++, at += innerStep, place += size) to[place] = from[at];
      }
    }
    for (let line = there; line < size; line++) {
      for (let k = 0, place = start + line; k < inner; k++, place += size) to[place] = 0;
    }
  }
}

/** Sixteen results, four rows of four, in JavaScript. */
export function halfTile(C, at, wide, L, from, R, other, inner, more) {
  let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0, j = 0, k = 0, l = 0, m = 0, n = 0, o = 0, p = 0;
  for (let x = from, y = other, end = from + 4 * inner; x < end; x += 4, y += 8) {
    const s = L[x], t = L[x + 1], u = L[x + 2], v = L[x + 3], q = R[y], r = R[y + 1], w = R[y + 2], z = R[y + 3];
    a += s * q; b += s * r; c += s * w; d += s * z;
    e += t * q; f += t * r; g += t * w; h += t * z;
    i += u * q; j += u * r; k += u * w; l += u * z;
    m += v * q; n += v * r; o += v * w; p += v * z;
  }
  const second = at + wide, third = second + wide, fourth = third + wide;
  if (more) {
    a += C[at]; b += C[at + 1]; c += C[at + 2]; d += C[at + 3];
    e += C[second]; f += C[second + 1]; g += C[second + 2]; h += C[second + 3];
    i += C[third]; j += C[third + 1]; k += C[third + 2]; l += C[third + 3];
    m += C[fourth]; n += C[fourth + 1]; o += C[fourth + 2]; p += C[fourth + 3];
  }
  C[at] = a; C[at + 1] = b; C[at + 2] = c; C[at + 3] = d;
  C[second] = e; C[second + 1] = f; C[second + 2] = g; C[second + 3] = h;
  C[third] = i; C[third + 1] = j; C[third + 2] = k; C[third + 3] = l;
  C[fourth] = m; C[fourth + 1] = n; C[fourth + 2] = o; C[fourth + 3] = p;
}

/** Memory of at least so many bytes that WebAssembly can see; null where there is none. */
export function kernelMemory(bytes) {
  try {
    return WebAssembly.validate(kernelBytes()) ? new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) }) : null;
  } catch {
    return null; // a page whose policy forbids it, or a browser without
  }
}

/** The kernel on a memory; null where a page's policy forbids it. */
export function openKernel(memory) {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(kernelBytes()), { page: { memory } }).exports.product;
  } catch {
    return null;
  }
}

/**
 * A module of WebAssembly with one function `product(bands, panels, inner, left, right, C, wide, more)`, the last five but
 * one in bytes. It is written as a text of WebAssembly would be, one instruction a line, in numbers.
 */
export function kernelBytes() {
  const number = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...number(n >>> 7)]), name = (text) => [text.length, ...Array.from(text, (c) => c.charCodeAt(0))];
  const section = (id, content) => [id, ...number(content.length), ...content], list = (...items) => [...number(items.length), ...items.flat()];
  const I32 = 0x7f, V128 = 0x7b, FUNCTION = 0x60, NOTHING = 0x40, END = 0x0b, ELSE = 0x05, IF = [0x04, NOTHING], ADD = 0x6a, MINUS = 0x6b, TIMES = 0x6c;
  const get = (local) => [0x20, local], set = (local) => [0x21, local], set_and_get = (local) => [0x22, local], constant = (n) => [0x41, n];
  const load = (offset) => [0xfd, 0, 0, offset], store = (offset) => [0xfd, 11, 0, offset], four_times = (offset) => [0xfd, 9, 2, offset];
  const zeros = [0xfd, 12, ...new Array(16).fill(0)], add_four = [0xfd, 0xe4, 1], multiply_four = [0xfd, 0xe6, 1];
  const [bands, panels, inner, left, right, C, wide, more, panel, k, l, r, tile, line] = Array(14).keys(), sums = 14, low = 22, high = 23, factor = 24;
  const forward = (local, bytes) => [...get(local), ...constant(bytes), ADD, ...set(local)];
  const downward = (count, body) => [0x03, NOTHING, ...body, ...get(count), ...constant(1), MINUS, ...set_and_get(count), 0x0d, 0, END];
  const each = (make) => [0, 1, 2, 3].flatMap(make), sum = (row, half) => sums + 2 * row + half;
  const write = (value) => each((row) => [
    ...[0, 1].flatMap((half) => [...get(line), ...value(row, half), ...store(16 * half)]), ...get(line), ...get(wide), ADD, ...set(line)]);
  const body = downward(bands, [
    ...get(right), ...set(r), ...get(C), ...set(tile), ...get(panels), ...set(panel),
    ...downward(panel, [
      ...get(left), ...set(l), ...get(inner), ...set(k), ...each((row) => [...zeros, ...set(sum(row, 0)), ...zeros, ...set(sum(row, 1))]),
      ...downward(k, [
        ...get(r), ...load(0), ...set(low), ...get(r), ...load(16), ...set(high),
        ...each((row) => [
          ...get(l), ...four_times(4 * row), ...set(factor),
          ...get(sum(row, 0)), ...get(factor), ...get(low), ...multiply_four, ...add_four, ...set(sum(row, 0)),
          ...get(sum(row, 1)), ...get(factor), ...get(high), ...multiply_four, ...add_four, ...set(sum(row, 1))]),
        ...forward(l, 16), ...forward(r, 32)]),
      ...get(tile), ...set(line), ...get(more), ...IF,
      ...write((row, half) => [...get(line), ...load(16 * half), ...get(sum(row, half)), ...add_four]), ELSE,
      ...write((row, half) => get(sum(row, half))), END,
      ...forward(tile, 32)]),
    ...get(l), ...set(left), ...get(C), ...get(wide), ...constant(4), TIMES, ADD, ...set(C)]);
  const code = [...list([6, I32], [11, V128]), ...body, END];
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // the sign of WebAssembly, and its version
    ...section(1, list([FUNCTION, ...list(...new Array(8).fill([I32])), 0])),
    ...section(2, list([...name("page"), ...name("memory"), 2, 0, 1])), ...section(3, list([0])),
    ...section(7, list([...name("product"), 0, 0])), ...section(10, list([...number(code.length), ...code]))]);
}
