// Runs a program of WebAssembly, as an operating system would: node run_wasi.mjs PROGRAM ARGUMENT...
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [program, ...words] = process.argv.slice(2);
const system = new WASI({ version: "preview1", args: [program, ...words] });
const module = new WebAssembly.Module(readFileSync(program));
const instance = new WebAssembly.Instance(module, system.getImportObject());
process.exitCode = system.start(instance);
