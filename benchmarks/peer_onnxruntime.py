"""ONNX Runtime, which predicts only."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from peers import Peer


class OnnxRuntime(Peer):
    packages = ("onnxruntime", "onnx")
    note = "an inference session of Gemm and Sigmoid nodes; session.run takes and gives arrays"

    def supports(self, job):
        return not job.trains

    def prepare(self, job, X, Y, labels, weights, biases):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        model = sigmoid_network(job.sizes, weights, biases).SerializeToString()
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(model, options, providers=providers)
        self.feed = {"a0": X}

    def reset(self):
        pass

    def predict(self):
        return self.session.run(None, self.feed)[0]


def sigmoid_network(sizes, weights, biases):
    """The network as an ONNX model: input a0, and for each layer z = a W + b, a = sigmoid(z)."""
    nodes, constants = [], []
    for i, (W, b) in enumerate(zip(weights, biases, strict=True)):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(W.T), f"W{i}"))
        constants.append(numpy_helper.from_array(np.ascontiguousarray(b), f"b{i}"))
        nodes.append(helper.make_node("Gemm", [f"a{i}", f"W{i}", f"b{i}"], [f"z{i}"]))
        nodes.append(helper.make_node("Sigmoid", [f"z{i}"], [f"a{i + 1}"]))

    def value(name, columns):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", columns])

    last = f"a{len(weights)}"
    graph = helper.make_graph(
        nodes, "mlp", [value("a0", sizes[0])], [value(last, sizes[-1])], constants
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)
