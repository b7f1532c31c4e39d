// Trains in slices, between which messages are heard, and tells the page what it needs to draw.

import { Core, Network } from "./core.js";
import { answerOf, expanded, rowsOf } from "./data.js";
import { DATA, isDigits, outputOf, sizesOf } from "./settings.js";

const SLICE = 20; // Milliseconds of training between two looks at messages.
const GAP = 100; // Milliseconds between two reports; a screen and its reader need no more.
const FINGERPRINT_GAP = 500;
const NORM_ROWS = 100; // Rows over which the lengths of deltas are averaged.
const PLANE = 40; // Points of a side of the grid that shows what units say about the plane.
const RANGE = 1.7; // The part of the plane that is shown: -RANGE to RANGE.
const NONFINITE_LOSS = 11; // BP_NONFINITE_LOSS of csrc/bpcore.h.

const read = async (name) => {
  const answer = await fetch(new URL(name, import.meta.url)).catch(() => null);
  if (!answer?.ok)
    throw new Error(`${name} cannot be fetched; ${answer ? answer.status : "is there a network?"}`);
  return expanded(await answer.arrayBuffer());
};

// Asked for once: nothing more is fetched when data is chosen again.
const kept = new Map();
const data = (name) => {
  if (!kept.has(name)) kept.set(name, rowsOf(name, read));
  kept.get(name).catch(() => kept.delete(name));
  return kept.get(name);
};

let core = null;

/** A network that is trained with some settings, and what it has been through. */
class Training {
  constructor(settings, rows, number) {
    Object.assign(this, { settings, rows, number, rate: settings.rate });
    const { hidden, init, seed, batch, optimizer } = settings;
    this.how = { hidden, init, seed, output: outputOf(settings) };
    this.net = new Network(core, sizesOf(settings), this.how);
    this.outputs = DATA[settings.data].outputs;
    this.net.setData(rows.train.X, rows.train.Y, { batch_size: batch || rows.train.n, optimizer });
    this.trained = [];
    this.costs = [];
    this.seconds = 0;
    this.budget = 64;
    this.sample = { row: 0 };
    this.stepNet = null;
    this.proof = { at: -Infinity };
    this.accuracies = [];
    this.test();
  }

  /** Trains for a few milliseconds; true where an epoch has ended. */
  advance() {
    if (this.net.between) this.epochRate = this.rate;
    const start = performance.now();
    const cost = this.net.step(this.epochRate, this.budget);
    const took = performance.now() - start;
    this.seconds += took / 1000;
    if (took < SLICE / 4) this.budget = Math.min(2 * this.budget, this.rows.train.n);
    if (took > SLICE) this.budget = Math.max(1, this.budget >> 1);
    if (cost === null) return false;
    this.costs.push(this.net.epochs, cost);
    const last = this.trained.at(-1);
    if (last?.rate === this.epochRate) last.epochs++;
    else this.trained.push({ epochs: 1, rate: this.epochRate });
    this.lastCost = cost;
    this.test();
    return true;
  }

  /** What the page draws; costs are those since the last report. */
  report(final) {
    const { net, rows, settings, number } = this;
    if (final && net.between) this.prove();
    return {
      type: "seen",
      number,
      final,
      epoch: net.epochs,
      seconds: this.seconds,
      cost: this.lastCost ?? null,
      costs: this.costs.splice(0),
      rowsLearnt: rows.train.n,
      kind: core.kind,
      proof: this.proof,
      ...this.tests,
      norms: this.norms(),
      accuracies: this.accuracies.splice(0),
      flow: this.flow(),
      views: isDigits(settings) ? this.firstWeights() : this.planes(),
    };
  }

  /** The fingerprint after whole epochs, and what led to it; now and then while it trains. */
  prove() {
    this.proof = {
      at: performance.now(),
      fingerprint: this.net.fingerprint(),
      trained: structuredClone(this.trained),
    };
  }

  /** How many test rows are told right after this epoch, and which are not. */
  test() {
    const { test } = this.rows;
    const A = this.net.forward(test.X);
    const wrong = [];
    for (let row = 0; row < test.n; row++) {
      const answer = answerOf(A, this.outputs, row);
      if (answer !== test.labels[row]) wrong.push({ row, answer, label: test.labels[row] });
    }
    this.tests = { accuracy: 1 - wrong.length / test.n, wrong, tested: test.n };
    this.accuracies.push(this.net.epochs, this.tests.accuracy);
  }

  /** The mean length of each layer's delta over some rows. */
  norms() {
    const { train } = this.rows;
    const n = Math.min(NORM_ROWS, train.n),
      [inputs] = this.net.sizes;
    const { deltas } = this.net.layerOutputs(
      train.X.subarray(0, n * inputs),
      train.Y.subarray(0, n * this.outputs),
    );
    return deltas.map((D) => {
      const units = D.length / n;
      let sum = 0;
      for (let row = 0; row < n; row++)
        sum += Math.hypot(...D.subarray(row * units, (row + 1) * units));
      return sum / n;
    });
  }

  /** {x, y} of the sample that is looked at; y is null for a drawing whose digit is not told. */
  looked() {
    const { row, x, label } = this.sample;
    const { test } = this.rows,
      [inputs] = this.net.sizes;
    if (x) return { x, y: label === null ? null : this.#target(label), label, row: null };
    const Y = test.Y.slice(row * this.outputs, (row + 1) * this.outputs);
    return {
      x: test.X.slice(row * inputs, (row + 1) * inputs),
      y: Y,
      label: test.labels[row],
      row,
    };
  }

  #target(label) {
    if (this.outputs === 1) return Float32Array.of(label);
    return Float32Array.from({ length: this.outputs }, (_, k) => (k === label ? 1 : 0));
  }

  /** The sample's activations and deltas, layer by layer, and the answer. */
  flow() {
    const { x, y, label, row } = this.looked();
    const found = this.net.layerOutputs(x, y);
    return { x, label, row, ...found, answer: answerOf(found.activations.at(-1), this.outputs, 0) };
  }

  firstWeights() {
    const { weights, inputs, outputs } = this.net.layer(0);
    return { kind: "weights", weights: weights.slice(), inputs, outputs };
  }

  /** Activations of all units at the points of a grid, from the upper left corner on. */
  planes() {
    const X = new Float32Array(2 * PLANE * PLANE);
    const at = (i) => ((i + 0.5) / PLANE) * 2 * RANGE - RANGE;
    for (let i = 0; i < PLANE * PLANE; i++) {
      X[2 * i] = at(i % PLANE);
      X[2 * i + 1] = -at(Math.floor(i / PLANE));
    }
    return {
      kind: "planes",
      side: PLANE,
      range: RANGE,
      sizes: this.net.sizes,
      activations: this.net.layerOutputs(X).activations,
    };
  }

  /** Steps are made on a copy: the network that trains is what Python's lines make. */
  step(take) {
    const { net } = this,
      { x, y, label } = this.looked();
    if (!this.stepNet) {
      this.stepNet = new Network(core, net.sizes, this.how);
      this.stepNet.parameters.set(net.parameters);
      this.steps = 0;
    }
    if (take && y) {
      this.stepNet.setData(x, y);
      this.stepNet.step(this.rate);
      this.steps++;
    }
    const layers = net.sizes.slice(1).map((_, l) => {
      const { weights, biases, inputs, outputs } = this.stepNet.layer(l);
      return { W: weights.slice(), b: biases.slice(), inputs, outputs };
    });
    return {
      type: "stepped",
      number: this.number,
      steps: this.steps,
      x,
      y,
      label,
      layers,
      activations: net.activations,
      rate: this.rate,
      fingerprint: this.stepNet.fingerprint(),
    };
  }

  forgetStep() {
    this.stepNet?.close();
    this.stepNet = null;
  }

  close() {
    this.forgetStep();
    this.net.close();
  }
}

let training = null; // The one of the page.
let running = false,
  ending = false; // ending: the epoch is finished, then it pauses.
let until = 0; // The epoch at which it pauses by itself.
let reported = 0,
  next = 0;
let gap = GAP;

const channel = new MessageChannel(); // Unlike setTimeout it waits for nothing but messages.
channel.port1.onmessage = () => guarded(slice);
const again = (wait) =>
  wait > 0 ? setTimeout(guarded, wait, slice) : channel.port2.postMessage(0);

function tell(final = false) {
  reported = performance.now();
  postMessage({ ...training.report(final), running });
}

function slice() {
  if (!running) return;
  const { pace } = training.settings;
  const start = performance.now();
  let now = start;
  while (running && now - start < SLICE) {
    if (training.net.between && now < next) break;
    if (training.advance()) epochEnded();
    now = performance.now();
  }
  if (!running) return tell(true);
  if (now - reported > gap) tell();
  again(pace === "full" || !training.net.between ? 0 : Math.min(next - now, SLICE));
}

function epochEnded() {
  const { pace } = training.settings;
  if (pace !== "full") next = Math.max(performance.now() - SLICE, next) + 1000 / Number(pace);
  if (performance.now() - training.proof.at > FINGERPRINT_GAP) training.prove();
  if (ending || training.net.epochs >= until) running = false;
}

const HEARD = {
  async start({ settings, number, run, calm }) {
    gap = calm ? 1000 : GAP;
    running = false;
    newest = number;
    core ??= await Core.load((name) => read(`${name}.gz`));
    const rows = await data(settings.data);
    if (number !== newest) return; // Another one was asked for while this one's data came.
    training?.close();
    training = new Training(settings, rows, number);
    postMessage({ type: "rows", number, test: rows.test, train: rows.train });
    tell(true);
    if (run) HEARD.run({ epochs: settings.epochs });
  },
  run({ epochs }) {
    if (running || !training) return;
    training.forgetStep();
    until = training.net.epochs + epochs;
    [running, ending, next] = [true, false, performance.now()];
    again(0);
  },
  pause() {
    ending = true;
    if (training && training.net.between && running) {
      running = false;
      tell(true);
    }
  },
  rate({ rate }) {
    if (training) training.rate = rate;
  },
  pace({ pace }) {
    if (training) training.settings.pace = pace;
    next = performance.now();
  },
  look({ sample }) {
    if (!training) return;
    training.sample = sample;
    training.forgetStep();
    postMessage({ type: "looked", number: training.number, flow: training.flow() });
  },
  step({ take, fresh }) {
    if (!training || running) return;
    if (fresh) training.forgetStep();
    postMessage(training.step(take));
  },
};
let newest = 0;

async function guarded(action) {
  try {
    await action();
  } catch (error) {
    running = false;
    const text =
      error.status === NONFINITE_LOSS
        ? "The cost is no number any more: the learning rate is too large. Reset, and take less."
        : `This does not work here: ${error.message}.`;
    postMessage({ type: "failed", text });
  }
}

onmessage = ({ data: message }) => guarded(() => HEARD[message.type](message));
postMessage({ type: "here" });
