// The rows to learn from: packed digits, and points in the plane, made as Python makes them.

import { RandomState } from "./random.js";
import { DATA } from "./settings.js";

const SIDE = 28,
  PIXELS = SIDE * SIDE,
  GREYS = 15;
const POINTS = 600,
  LEARNT = 400;

/** The bytes of a file that was compressed by gzip, unless the server has expanded it already. */
export async function expanded(buffer) {
  const [first, second] = new Uint8Array(buffer, 0, 2);
  if (first !== 0x1f || second !== 0x8b) return buffer;
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/**
 * Rows as pack() of tools/web.py puts them: two counts, labels, then a byte for two pixels
 * of a column.
 * @returns {{train: Rows, test: Rows}} where Rows is {X, labels, n}
 */
export function unpacked(buffer) {
  const [train, test] = new Uint32Array(buffer, 0, 2);
  const bytes = new Uint8Array(buffer, 8);
  const labels = bytes.subarray(0, train + test);
  const X = new Float32Array((train + test) * PIXELS);
  const pairs = bytes.subarray(train + test);
  for (let i = 0; i < pairs.length; i++) {
    const upper = Math.floor(i / SIDE) * 2 * SIDE + (i % SIDE);
    X[upper] = (pairs[i] >> 4) / GREYS;
    X[upper + SIDE] = (pairs[i] & 15) / GREYS;
  }
  return parted(X, labels, PIXELS, train);
}

function parted(X, labels, inputs, train) {
  const part = (from, to) => ({
    X: X.slice(from * inputs, to * inputs),
    labels: Array.from(labels.subarray(from, to)),
    n: to - from,
  });
  return { train: part(0, train), test: part(train, labels.length) };
}

// A number t of -1 to 1 is a point of a half circle. There is no sine in it: every system rounds
// + - * / alike, and sines differ in the last bit.
const along = (t) => [(2 * t) / (1 + t * t), (1 - t * t) / (1 + t * t)];

const SHAPES = {
  moons(y, u) {
    const [x1, x2] = along(2 * u[0] - 1);
    return y ? [0.5 - x1, 0.25 - x2] : [x1 - 0.5, x2 - 0.25];
  },
  circles(y, u) {
    const [x1, x2] = along(2 * u[0] - 1);
    const radius = y ? 0.5 : 1.2;
    return [radius * x1, (u[1] < 0.5 ? -radius : radius) * x2];
  },
  spirals(y, u) {
    const radius = y ? -0.2 - 1.2 * u[0] : 0.2 + 1.2 * u[0];
    let [s, c] = along(u[0]);
    [c, s] = [c * c - s * s, 2 * c * s]; // The angle doubles,
    [c, s] = [c * c - s * s, 2 * c * s]; // and once more: a turn.
    return [radius * c, radius * s];
  },
};
const NOISE = { moons: 0.4, circles: 0.4, spirals: 0.2 };

/** Points of two classes in the plane, in the bits of the Python lines of python.js. */
export function made(name) {
  const random = new RandomState(0);
  const X = new Float32Array(2 * POINTS),
    labels = new Uint8Array(POINTS);
  for (let i = 0; i < POINTS; i++) {
    labels[i] = i % 2;
    const u = [random.random(), random.random(), random.random(), random.random()];
    const [x1, x2] = SHAPES[name](labels[i], u);
    X[2 * i] = x1 + NOISE[name] * (u[2] - 0.5);
    X[2 * i + 1] = x2 + NOISE[name] * (u[3] - 0.5);
  }
  return parted(X, labels, 2, LEARNT);
}

/** Y (n, outputs) of labels: themselves for one output, else 1 at the label's place. */
export function targets(labels, outputs) {
  if (outputs === 1) return Float32Array.from(labels);
  const Y = new Float32Array(labels.length * outputs);
  labels.forEach((label, row) => {
    Y[row * outputs + label] = 1;
  });
  return Y;
}

/** Train and test rows of a data set; read(name) gives the content of a file of the build. */
export async function rowsOf(name, read) {
  const rows = name in SHAPES ? made(name) : unpacked(await read(`${name}.gz`));
  for (const part of [rows.train, rows.test]) part.Y = targets(part.labels, DATA[name].outputs);
  return rows;
}

/** The class that outputs A (n, outputs) say for a row. */
export function answerOf(A, outputs, row) {
  if (outputs === 1) return A[row] >= 0.5 ? 1 : 0;
  let best = 0;
  for (let k = 1; k < outputs; k++) if (A[row * outputs + k] > A[row * outputs + best]) best = k;
  return best;
}
