// Lets ONNX Runtime compute the graph that bpcore wrote.
import { readFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-web";
import { compare, x } from "./compare.js";
import { INPUTS } from "./egg.js";

const session = await InferenceSession.create(readFileSync("build/egg.onnx"));
const X = new Tensor("float32", x, [x.length / INPUTS, INPUTS]);
const { A } = await session.run({ X });
await compare(A.data);
