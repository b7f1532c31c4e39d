// Reads the file that bpcore saved, and computes with it in JavaScript's own numbers, doubles.
import { readFileSync } from "node:fs";
import { compare, x } from "./compare.js";
import { INPUTS } from "./egg.js";

function layers(file) {
    const length = Number(new DataView(file).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, length)));
    const { hidden, output } = JSON.parse(header.__metadata__.bpcore);
    const tensor = (name) =>
        new Float32Array(file.slice(...header[name].data_offsets.map((at) => 8 + length + at)));
    return [...hidden, output].map((activation, layer) => ({
        activation: ACTIVATIONS[activation],
        W: tensor(`layers.${layer}.weight`), // (outputs, inputs)
        b: tensor(`layers.${layer}.bias`), // (outputs,)
    }));
}

const ACTIVATIONS = {
    tanh: (z) => z.map(Math.tanh),
    softmax: (z) => {
        const e = z.map((z_j) => Math.exp(z_j - Math.max(...z)));
        return e.map((e_j) => e_j / e.reduce((a, b) => a + b));
    },
};

function forward(row, { activation, W, b }) {
    const weighted = (j) => row.reduce((z, a, i) => z + W[j * row.length + i] * a, b[j]);
    return activation(Array.from(b, (_, j) => weighted(j)));
}

const network = layers(new Uint8Array(readFileSync("build/egg.safetensors")).buffer);
const activations = [];
for (let i = 0; i < x.length; i += INPUTS)
    activations.push(...network.reduce(forward, Array.from(x.subarray(i, i + INPUTS))));
await compare(activations);
