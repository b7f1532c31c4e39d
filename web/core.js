// The C core of bpcore in a page: what core/core.c exports, as a Network with Python's names and bits.

import { RandomState } from "./random.js";
import { sha256 } from "./sha256.js";

// Numbers of csrc/bpcore.h.
const ACTIVATIONS = ["identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus",
  "silu", "gelu", "exp", "softmax"];
const LOSSES = { mse: 0, bce: 3, cross_entropy: 4 };
const OPTIMIZERS = { sgd: 0, momentum: 1, nesterov: 2, rmsprop: 3, adam: 4 };
const PARTNERS = { sigmoid: "bce", softmax: "cross_entropy" };
// The defaults of bpcore.optimizers: momentum or beta1, decay or beta2, epsilon.
const RULES = { sgd: [0, 0, 0], momentum: [0.9, 0, 0], nesterov: [0.9, 0, 0],
  rmsprop: [0, 0.99, 1e-8], adam: [0.9, 0.999, 1e-8] };
// He et al. 2015 double the variance for activations that pass half of their inputs on.
const HALF_OPEN = ["relu", "leaky_relu", "elu", "silu", "gelu"];

// Where vectors have a multiply-add that rounds once it is fast; elsewhere another file is exact.
const KINDS = ["relaxed", "exact"];

/** One instance of the WebAssembly module. */
export class Core {
  constructor(exports, kind) {
    Object.assign(this, { exports, kind });
  }

  /**
   * The core, in the first kind that this engine can run with the library's bits.
   * @param {(name: string) => Promise<BufferSource>} read the content of a file of the build
   * @param {string[]} kinds those to try
   */
  static async load(read, kinds = KINDS) {
    for (const kind of kinds) {
      const content = await read(`core_${kind}.wasm`);
      if (!WebAssembly.validate(content)) continue; // It does not know all instructions.
      const { instance } = await WebAssembly.instantiate(content, {});
      instance.exports._initialize();
      if (instance.exports.core_is_exact()) return new Core(instance.exports, kind);
    }
    throw new Error("this browser's WebAssembly has no vectors: a newer one does");
  }

  /** The place of new memory for `count` numbers of a typed array's kind, all 0. */
  take(kind, count) {
    const place = this.exports.core_take(count * kind.BYTES_PER_ELEMENT);
    if (!place) throw new Error(`there is no memory for ${count} numbers`);
    return place;
  }

  /** What lies at a place, as a typed array; whoever takes memory may move it. */
  view(kind, place, count) {
    return new kind(this.exports.memory.buffer, place, count);
  }

  /** A copy of a typed array in the core's memory; its place. */
  put(array) {
    const place = this.take(array.constructor, array.length);
    this.view(array.constructor, place, array.length).set(array);
    return place;
  }

  free(...places) {
    for (const place of places) this.exports.core_give_back(place);
  }

  /** What `use` makes of the places of some arrays, which lie there for so long. */
  lend(arrays, use) {
    const places = [];
    try {
      for (const array of arrays) places.push(this.put(array));
      return use(...places);
    } finally {
      this.free(...places);
    }
  }
}

/** A fully connected network in float32; names and defaults are those of bpcore.Network. */
export class Network {
  /**
   * @param {Core} core
   * @param {number[]} sizes units of each layer, the inputs first
   * @param {{hidden?: string, output?: string, loss?: string, init?: string, seed?: number}} how
   */
  constructor(core, sizes, how = {}) {
    const { hidden = "sigmoid", output = "sigmoid", init = "default", seed = 0 } = how;
    const { loss = PARTNERS[output] ?? "mse" } = how;
    Object.assign(this, { core, sizes, output, loss, init, seed });
    this.hidden = Array(sizes.length - 2).fill(hidden);
    this.epochs = 0;
    this.data = [];
    const layers = sizes.length - 1;
    const numbers = this.activations.map((name) => ACTIVATIONS.indexOf(name));
    const places = [core.put(Uint32Array.from(sizes)), core.put(Int32Array.from(numbers))];
    this.run = core.exports.core_open(layers, ...places, LOSSES[loss]);
    core.free(...places);
    if (!this.run) throw new Error(`${sizes.join("-")} with ${output} and ${loss} is no network`);
    this.#draw();
  }

  get activations() {
    return [...this.hidden, this.output];
  }

  /** A view of all parameters: for each layer weights (inputs, outputs), then biases. */
  get parameters() {
    const { exports } = this.core;
    const count = exports.core_parameter_count(this.run);
    return this.core.view(Float32Array, exports.core_parameters(this.run), count);
  }

  /** {weights (inputs, outputs) row by row, biases, inputs, outputs} of a layer, counted from 0. */
  layer(number) {
    let start = 0;
    for (let l = 0; l < number; l++) start += (this.sizes[l] + 1) * this.sizes[l + 1];
    const [inputs, outputs] = this.sizes.slice(number, number + 2);
    const end = start + inputs * outputs;
    const all = this.parameters;
    return { weights: all.subarray(start, end), biases: all.subarray(end, end + outputs), inputs, outputs };
  }

  // bpcore/_model/initializers.py, number by number: each W is drawn (outputs, inputs).
  #draw() {
    const random = new RandomState(this.seed, (x) => this.core.exports.core_log(x));
    this.activations.forEach((activation, number) => {
      const { weights, inputs, outputs } = this.layer(number);
      const next = this.#scheme(activation, inputs, outputs, random);
      for (let o = 0; o < outputs; o++)
        for (let i = 0; i < inputs; i++) weights[i * outputs + o] = next();
    });
  }

  #scheme(activation, inputs, outputs, random) {
    let { init } = this;
    if (init === "default") init = HALF_OPEN.includes(activation) ? "he_normal" : "lecun_normal";
    if (init === "xavier_uniform") {
      const width = Math.sqrt(6 / (inputs + outputs));
      return () => random.uniform(-width, width);
    }
    if (init === "he_normal") return () => random.normal() * Math.sqrt(2 / inputs);
    if (init === "lecun_normal") return () => random.normal() / Math.sqrt(inputs);
    if (init === "tiny") return () => random.normal() * 0.01; // ("normal", 0.01)
    throw new Error(`init is ${init}, but it can be lecun_normal, he_normal, xavier_uniform, tiny`);
  }

  /**
   * The rows to learn from: X (n, inputs) and Y (n, outputs), Float32Arrays.
   * @param {{batch_size?: number, optimizer?: string}} how
   */
  setData(X, Y, how = {}) {
    const n = X.length / this.sizes[0];
    const { batch_size = n, optimizer = "sgd" } = how;
    this.core.free(...this.data.splice(0));
    this.rows = n;
    this.batch_size = Math.min(batch_size, n);
    this.optimizer = optimizer;
    for (const array of [X, Y, new Uint32Array(n)]) this.data.push(this.core.put(array));
    const given = [...this.data.slice(0, 2), n, this.batch_size];
    this.#expect(this.core.exports.core_set_data(this.run, ...given, OPTIMIZERS[optimizer],
      ...RULES[optimizer]));
    this.between = true;
  }

  /**
   * Trains for some rows, an epoch at most; returns the mean loss of an epoch that has ended, or null.
   * Called again it goes on; the bits do not depend on the budget.
   */
  step(learning_rate, row_budget = 1 << 30) {
    const { exports } = this.core;
    if (this.between) {
      exports.core_begin_epoch(this.run, learning_rate);
      if (this.batch_size < this.rows)
        exports.core_shuffle(this.data[2], this.rows, this.seed, this.epochs);
      this.between = false;
    }
    const order = this.batch_size < this.rows ? this.data[2] : 0;
    this.#expect(exports.core_train(this.run, order, row_budget));
    if (!exports.core_epoch_ended(this.run)) return null;
    this.between = true;
    this.epochs++;
    return exports.core_loss(this.run);
  }

  /** Activations of the last layer, (n, outputs), for X (n, inputs). */
  forward(X) {
    const n = X.length / this.sizes[0];
    const count = n * this.sizes.at(-1);
    return this.core.lend([X, new Float32Array(count)], (x, a) => {
      this.#expect(this.core.exports.core_forward(this.run, x, n, a));
      return this.core.view(Float32Array, a, count).slice();
    });
  }

  /** [A_1, ..., A_L] for X (n, inputs), each (n, units), and, with Y (n, outputs), their deltas. */
  layerOutputs(X, Y = null) {
    const n = X.length / this.sizes[0];
    const units = this.sizes.slice(1);
    const count = n * units.reduce((a, b) => a + b, 0);
    const parts = (place) => {
      let start = 0;
      return units.map((width) => {
        const part = this.core.view(Float32Array, place + 4 * start, n * width).slice();
        start += n * width;
        return part;
      });
    };
    const room = () => new Float32Array(count);
    return this.core.lend(Y ? [X, room(), Y, room()] : [X, room()], (x, a, y = 0, d = 0) => {
      this.#expect(this.core.exports.core_layer_outputs(this.run, x, y, n, a, d));
      return { activations: parts(a), deltas: Y ? parts(d) : null };
    });
  }

  /** The digits of Network.fingerprint in Python. */
  fingerprint() {
    const { hidden, loss, output, sizes } = this;
    const settings = { dtype: "float32", hidden, loss, output, scaled: false, sizes };
    const text = `bpcore network 1\n${JSON.stringify(settings)}\n`;
    const head = new TextEncoder().encode(text);
    const numbers = Float32Array.from(this.parameters, (x) => x + 0); // -0 becomes +0.
    const parameter = new Float64Array(1); // The losses here have none.
    return sha256(head, new Uint8Array(numbers.buffer), new Uint8Array(parameter.buffer));
  }

  close() {
    this.core.free(...this.data.splice(0));
    this.core.exports.core_close(this.run);
    this.run = 0;
  }

  #expect(status) {
    if (status) throw Object.assign(new Error(`the core says ${status}`), { status });
  }
}
