// Proves the WebAssembly in node, and draws what it predicts.
import { readFileSync } from "node:fs";
import { classes, network, points } from "./egg.js";

const WIDTH = 40, HEIGHT = 20;
const { forward, certificate } = await network(readFileSync("build/egg.wasm"));
const differing = certificate();
console.log(`${differing} words differ from bpcore's`);

const letters = classes(forward(points(WIDTH, HEIGHT))).map((kind) => ".o@"[kind]).join("");
for (let line = 0; line < HEIGHT; line++)
    console.log(letters.slice(line * WIDTH, (line + 1) * WIDTH));
process.exitCode = differing ? 1 : 0;
