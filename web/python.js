// The lines of Python that make the same network, bit for bit.

import { isDigits, outputOf, sizesOf } from "./settings.js";

const HALF_CIRCLE = `t = 2 * u[:, 0] - 1
x1, x2 = 2 * t / (1 + t * t), (1 - t * t) / (1 + t * t)  # a half circle
`;

const SHAPES = {
  moons: `${HALF_CIRCLE}x1, x2 = np.where(y, 0.5 - x1, x1 - 0.5), np.where(y, 0.25 - x2, x2 - 0.25)
X = np.column_stack([x1, x2]) + 0.4 * (u[:, 2:] - 0.5)
`,
  circles: `${HALF_CIRCLE}r = np.where(y, 0.5, 1.2)
x1, x2 = r * x1, np.where(u[:, 1] < 0.5, -r, r) * x2
X = np.column_stack([x1, x2]) + 0.4 * (u[:, 2:] - 0.5)
`,
  spirals: `t = u[:, 0]
r = np.where(y, -0.2 - 1.2 * t, 0.2 + 1.2 * t)
s, c = 2 * t / (1 + t * t), (1 - t * t) / (1 + t * t)
for _ in range(2):
    c, s = c * c - s * s, 2 * c * s  # twice the angle
X = np.column_stack([r * c, r * s]) + 0.2 * (u[:, 2:] - 0.5)
`,
};

function dataLines(settings, rows) {
  if (isDigits(settings)) {
    const loader = settings.data === "digits58" ? "load_mnist58" : "load_mnist";
    return `(X, y), _ = bpcore.datasets.${loader}()
X, y = X[:${rows}], y[:${rows}]
X = (np.rint(X * 15) / 15).astype("float32")  # sixteen greys
`;
  }
  return `u = np.random.RandomState(0).uniform(size=(600, 4))
y = np.arange(600) % 2
${SHAPES[settings.data]}X, y = X[:${rows}].astype("float32"), y[:${rows}]
`;
}

function networkLine(settings) {
  const named = [`hidden="${settings.hidden}"`];
  if (outputOf(settings) !== "sigmoid") named.push(`output="${outputOf(settings)}"`);
  if (settings.init === "tiny") named.push('init=("normal", 0.01)');
  else if (settings.init !== "default") named.push(`init="${settings.init}"`);
  return (
    `net = bpcore.Network([${sizesOf(settings).join(", ")}], ${named.join(", ")}, ` +
    `seed=${settings.seed})\n`
  );
}

function fitLine({ batch, optimizer }, { epochs, rate }) {
  const named = [`epochs=${epochs}`, `learning_rate=${rate}`];
  if (batch) named.push(`batch_size=${batch}`);
  if (optimizer !== "sgd") named.push(`optimizer="${optimizer}"`);
  return `net.fit(X, y, ${named.join(", ")})\n`;
}

/**
 * The program whose last line prints the fingerprint of the network here.
 * @param {object} settings
 * @param {{epochs: number, rate: number}[]} trained epochs in a row with the same learning rate
 * @param {number} rows how many rows it learns from
 */
export function pythonOf(settings, trained, rows) {
  const fits = trained.map((part) => fitLine(settings, part)).join("");
  return `import numpy as np
import bpcore

${dataLines(settings, rows)}${networkLine(settings)}${fits}print(net.fingerprint())
`;
}
