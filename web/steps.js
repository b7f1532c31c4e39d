// One step of gradient descent, written out: every number with its equation.

const SHOWN = 4; // Units of a wide layer, and terms of a long sum, that are written.

// The derivative is told by the output a where it can be, else by z.
const RULES = {
  identity: [(z) => z, () => 1, "1"],
  sigmoid: [(z) => 1 / (1 + Math.exp(-z)), (z, a) => a * (1 - a), "a (1 − a)"],
  tanh: [Math.tanh, (z, a) => 1 - a * a, "1 − a²"],
  relu: [(z) => Math.max(0, z), (z) => (z > 0 ? 1 : 0), "1 where z > 0, else 0"],
  leaky_relu: [
    (z) => (z > 0 ? z : 0.01 * z),
    (z) => (z > 0 ? 1 : 0.01),
    "1 where z > 0, else 0.01",
  ],
  elu: [
    (z) => (z > 0 ? z : Math.expm1(z)),
    (z, a) => (z > 0 ? 1 : a + 1),
    "1 where z > 0, else a + 1",
  ],
  softplus: [
    (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))),
    (z) => 1 / (1 + Math.exp(-z)),
    "σ(z)",
  ],
  silu: [
    (z) => z / (1 + Math.exp(-z)),
    (z, a) => {
      const s = 1 / (1 + Math.exp(-z));
      return s + a * (1 - s);
    },
    "σ(z) + a (1 − σ(z))",
  ],
};

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const sub = (n) => [...String(n)].map((d) => SUBSCRIPTS[d]).join("");

/** A number as it is written: four decimals, or a power of ten where it is tiny or huge. */
export function written(x) {
  const size = Math.abs(x);
  if (!Number.isFinite(x)) return String(x);
  const text = size && (size < 0.001 || size >= 10000) ? x.toExponential(2) : x.toFixed(4);
  return text.replace("-", "−").replace("e-", "e−").replace("e+", "e");
}
const factor = (x) => (x < 0 ? `(${written(x)})` : written(x));

/**
 * Forward and back through layers {W (inputs, outputs), b, inputs, outputs} for a sample x with
 * target y, in the equations' order.
 * @returns {{z, a, delta}[]} of each layer, arrays of numbers; delta is null without y
 */
export function passed(layers, activations, x, y) {
  const ways = [];
  let a = Array.from(x);
  layers.forEach(({ W, b, inputs, outputs }, l) => {
    const before = a;
    const z = Array.from(b, (start, o) => {
      let sum = start;
      for (let i = 0; i < inputs; i++) sum += before[i] * W[i * outputs + o];
      return sum;
    });
    a = activations[l] === "softmax" ? softmax(z) : z.map(RULES[activations[l]][0]);
    ways.push({ before, z, a, delta: null });
  });
  if (y) goBack(ways, layers, activations, y);
  return ways;
}

function softmax(z) {
  const most = Math.max(...z),
    e = z.map((v) => Math.exp(v - most));
  const sum = e.reduce((s, v) => s + v, 0);
  return e.map((v) => v / sum);
}

// The outputs here, sigmoid and softmax with their own losses, have delta = a - y.
function goBack(ways, layers, activations, y) {
  ways.at(-1).delta = ways.at(-1).a.map((a, k) => a - y[k]);
  for (let l = layers.length - 2; l >= 0; l--) {
    const { W, outputs } = layers[l + 1],
      { z, a } = ways[l],
      next = ways[l + 1].delta;
    const slope = RULES[activations[l]][1];
    ways[l].back = z.map((_, i) => next.reduce((s, d, o) => s + W[i * outputs + o] * d, 0));
    ways[l].delta = z.map((v, i) => ways[l].back[i] * slope(v, a[i]));
  }
}

export function costOf({ a, z }, y) {
  if (y.length > 1) return -Math.log(a[y.indexOf(1)]);
  return Math.max(z[0], 0) - z[0] * y[0] + Math.log1p(Math.exp(-Math.abs(z[0])));
}

/** Which of the terms are written: all of a short sum, else the largest, in their order. */
function picked(terms) {
  const places = terms.map((_, i) => i);
  if (terms.length <= SHOWN) return places;
  places.sort((i, j) => Math.abs(terms[j]) - Math.abs(terms[i]));
  return places.slice(0, SHOWN - 1).sort((i, j) => i - j);
}

/** A sum of products: [[first, second], ...] with an addend, all numbers; long ones in part. */
function sumOf(pairs, addend) {
  const terms = pairs.map(([p, q]) => p * q);
  const places = picked(terms);
  const shown = places.map((i) => `${factor(pairs[i][0])}·${factor(pairs[i][1])}`);
  const left = terms.length - places.length;
  if (left) {
    const rest = terms.reduce((s, v) => s + v, 0) - places.reduce((s, i) => s + terms[i], 0);
    shown.push(`${factor(rest)} [${left} more]`);
  }
  if (addend !== undefined) shown.push(factor(addend));
  return shown.join(" + ");
}

const first = (count) => Array.from({ length: Math.min(count, SHOWN) }, (_, i) => i);

function forwardLines({ W, b, inputs, outputs }, way, name, l) {
  const lines = [];
  for (const o of first(outputs)) {
    const pairs = way.before.map((a, i) => [W[i * outputs + o], a]);
    lines.push(`z${sub(o + 1)} = ${sumOf(pairs, b[o])} = ${written(way.z[o])}`);
    if (name !== "softmax")
      lines.push(`a${sub(o + 1)} = ${name}(${written(way.z[o])}) = ` + written(way.a[o]));
  }
  if (name === "softmax") {
    const sum = way.z.reduce((s, z) => s + Math.exp(z), 0);
    for (const o of first(outputs))
      lines.push(
        `a${sub(o + 1)} = e^${factor(way.z[o])} / ` + `${written(sum)} = ${written(way.a[o])}`,
      );
  }
  return {
    title: `Layer ${l + 1}, forward`,
    rule: `z = W a + b,  a = ${name}(z)`,
    lines,
    left: left(outputs, "unit"),
  };
}

const left = (count, what) => (count > SHOWN ? `and ${count - SHOWN} more ${what}s` : "");

function outputLines(way, y, l) {
  const lines = first(y.length).map(
    (k) => `δ${sub(k + 1)} = ${written(way.a[k])} − ${y[k]} = ` + written(way.delta[k]),
  );
  return { title: `Layer ${l + 1}, back`, rule: "δ = a − y", lines, left: left(y.length, "unit") };
}

function backLines(next, ways, l, name) {
  const { z, a, delta } = ways[l],
    [, slope, rule] = RULES[name];
  const lines = [];
  for (const i of first(z.length)) {
    const pairs = ways[l + 1].delta.map((d, o) => [next.W[i * next.outputs + o], d]);
    lines.push(
      `δ${sub(i + 1)} = (${sumOf(pairs)}) · ${factor(slope(z[i], a[i]))} = ` + written(delta[i]),
    );
  }
  return {
    title: `Layer ${l + 1}, back`,
    rule: `δ = (Wᵀ δ of the next layer) · ${name}′,  ` + `${name}′ = ${rule}`,
    lines,
    left: left(z.length, "unit"),
  };
}

function updateLines({ W, b, inputs, outputs }, way, rate, l) {
  const lines = [];
  for (const o of first(outputs)) {
    const d = way.delta[o];
    for (const i of picked(way.before.map((a) => a * d))) {
      const w = W[i * outputs + o],
        g = d * way.before[i];
      lines.push(
        `w${sub(o + 1)},${sub(i + 1)} ← ${written(w)} − ${rate} · ${factor(d)}·` +
          `${factor(way.before[i])} = ${written(w - rate * g)}`,
      );
    }
    lines.push(
      `b${sub(o + 1)} ← ${written(b[o])} − ${rate} · ${factor(d)} = ` + written(b[o] - rate * d),
    );
  }
  return {
    title: `Layer ${l + 1}, step`,
    rule: "dW = δ aᵀ,  W ← W − η dW,  b ← b − η δ",
    lines,
    left: left(outputs, "unit"),
  };
}

/** All parts of a step, each {title, rule, lines, left}: forward, cost, back, step. */
export function stepOf({ layers, activations, x, y, rate }) {
  const ways = passed(layers, activations, x, y);
  const parts = layers.map((layer, l) => forwardLines(layer, ways[l], activations[l], l));
  if (!y) return parts;
  const last = layers.length - 1;
  const rule =
    y.length > 1 ? "C = −log a of the true class" : "C = −y log a − (1 − y) log(1 − a)";
  const cost = costOf(ways[last], y);
  parts.push({ title: "Cost", rule, lines: [`C = ${written(cost)}`], left: "", cost });
  parts.push(outputLines(ways[last], y, last));
  for (let l = last - 1; l >= 0; l--) parts.push(backLines(layers[l + 1], ways, l, activations[l]));
  layers.forEach((layer, l) => parts.push(updateLines(layer, ways[l], rate, l)));
  return parts;
}
