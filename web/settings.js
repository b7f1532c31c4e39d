// What a training is made of: the choices, their defaults for each data set, in an address.

const digits = { hidden: "sigmoid", init: "default", optimizer: "sgd", seed: 1, pace: "full" };
const points = {
  hidden: "tanh",
  init: "default",
  optimizer: "sgd",
  seed: 1,
  pace: "60",
  batch: 10,
};

/** Each data set: what it is, and the settings that show it well. */
export const DATA = {
  digits58: {
    name: "digits 5 and 8",
    inputs: 784,
    outputs: 1,
    classes: ["5", "8"],
    defaults: { ...digits, layers: [30], rate: 1, batch: 32, epochs: 20 },
  },
  digits10: {
    name: "all ten digits",
    inputs: 784,
    outputs: 10,
    classes: [..."0123456789"],
    defaults: { ...digits, layers: [30], rate: 0.5, batch: 32, epochs: 30 },
  },
  moons: {
    name: "two moons",
    inputs: 2,
    outputs: 1,
    classes: ["blue", "orange"],
    defaults: { ...points, layers: [6], rate: 0.3, epochs: 300 },
  },
  circles: {
    name: "two circles",
    inputs: 2,
    outputs: 1,
    classes: ["blue", "orange"],
    defaults: { ...points, layers: [4], rate: 0.3, epochs: 300 },
  },
  spirals: {
    name: "two spirals",
    inputs: 2,
    outputs: 1,
    classes: ["blue", "orange"],
    defaults: { ...points, layers: [8, 8], rate: 0.1, epochs: 600 },
  },
};

/** The values of each choice; names are Python's. */
export const CHOICES = {
  data: Object.keys(DATA),
  hidden: ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "silu", "softplus", "identity"],
  init: ["default", "lecun_normal", "he_normal", "xavier_uniform", "tiny"],
  optimizer: ["sgd", "momentum", "nesterov", "rmsprop", "adam"],
  rate: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 1, 3, 10],
  batch: [1, 10, 32, 100, 400, 0], // 0: all rows
  pace: ["full", "60", "10", "2"], // epochs a second, at most
};

export const MOST_LAYERS = 5,
  MOST_UNITS = 200,
  MOST_EPOCHS = 10000,
  MOST_SEED = 2 ** 32 - 1;

export const isDigits = ({ data }) => DATA[data].inputs === 784;

/** Units of each layer, the inputs first. */
export const sizesOf = ({ data, layers }) => [DATA[data].inputs, ...layers, DATA[data].outputs];

export const outputOf = ({ data }) => (DATA[data].outputs === 1 ? "sigmoid" : "softmax");

/** The settings of a data set, to begin with. */
export function defaultsOf(data) {
  return { data, ...structuredClone(DATA[data].defaults) };
}

/** Settings as the part of an address behind its #. */
export function toHash(settings) {
  const { layers, ...others } = settings;
  return new URLSearchParams({ ...others, layers: layers.join("-") }).toString();
}

/** The settings that an address tells; what it leaves out or gets wrong is the default. */
export function fromHash(hash) {
  const told = new URLSearchParams(hash.replace(/^#/, ""));
  const data = CHOICES.data.includes(told.get("data")) ? told.get("data") : "digits58";
  const settings = defaultsOf(data);
  for (const name of ["hidden", "init", "optimizer", "pace"])
    if (CHOICES[name].includes(told.get(name))) settings[name] = told.get(name);
  const batch = Number(told.get("batch") ?? NaN);
  if (CHOICES.batch.includes(batch)) settings.batch = batch;
  const rate = Number(told.get("rate"));
  if (rate > 0 && rate <= 1000) settings.rate = rate;
  settings.epochs = whole(told.get("epochs"), 1, MOST_EPOCHS) ?? settings.epochs;
  settings.seed = whole(told.get("seed"), 0, MOST_SEED) ?? settings.seed;
  const layers = (told.get("layers") ?? "").split("-").map((units) => whole(units, 1, MOST_UNITS));
  if (layers.length <= MOST_LAYERS && !layers.includes(null)) settings.layers = layers;
  return settings;
}

/** The whole number that a text is, or null where it is none between the two. */
export function whole(text, least, most) {
  if (!/^\d{1,10}$/.test(text ?? "")) return null;
  const number = Number(text);
  return number >= least && number <= most ? number : null;
}
