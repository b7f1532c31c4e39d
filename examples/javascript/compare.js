// Compares what someone else computes with the WebAssembly, which has the words of bpcore.
import { readFileSync } from "node:fs";
import { network, points } from "./egg.js";

// Absolute weights and biases of a unit add up to 10 in the first layer and 80 in the second. Sums
// of 3 and 17 terms in float32 and tanh within 2 units of the last place err by at most
// ((3 * 10 + 2) * 80 + 17 * 80) / 2^24, a probability by half of that; two of them by twice that.
const LIMIT = 2 ** -12;

export const x = points(100, 100);

export async function compare(activations) {
    const { forward } = await network(readFileSync("build/egg.wasm"));
    const differences = forward(x).map((y, i) => Math.abs(y - activations[i]));
    const largest = differences.reduce((a, b) => Math.max(a, b));
    const agree = differences.length === activations.length && largest < LIMIT;
    console.log(`${activations.length} activations ${agree ? "agree" : "do not agree"}`);
    process.exitCode = agree ? 0 : 1;
}
