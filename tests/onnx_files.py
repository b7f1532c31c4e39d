"""ONNX files by hand, for tests; they are skipped where onnx is not installed."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

ML = "ai.onnx.ml"
CODES = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("float64"): TensorProto.DOUBLE}


class Graph:
    """Nodes, one after the other; ``then`` goes on from the last one's output.

    shape is that of the input, or None: it is not declared.
    """

    def __init__(self, dtype="float32", shape=("n", 4), opset=20):
        self.dtype, self.shape, self.opset = np.dtype(dtype), shape, opset
        self.nodes, self.constants, self.last, self.outputs = [], [], "x", None

    def constant(self, value):
        """The name of a constant: a number or an array."""
        if isinstance(value, (int, float)):
            value = np.asarray(value, self.dtype)
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator, *operands, domain="", **attributes):
        """A node of names, numbers and arrays; the name of its output, which is its own, too."""
        names = [given if isinstance(given, str) else self.constant(given) for given in operands]
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, names, [name], name, domain=domain, **attributes)
        )
        return name

    def then(self, operator, *others, **attributes):
        self.last = self.add(operator, self.last, *others, **attributes)
        return self

    def layers(self, layers, *activations):
        """Dense layers with an operator after each; None: nothing."""
        for (W, b), activation in zip(layers, activations, strict=True):
            self.then("Gemm", W, b, transB=1)
            if activation:
                self.then(activation)
        return self

    def model(self):
        code = CODES[self.dtype]
        given = helper.make_tensor_value_info("x", code, self.shape)
        names = self.outputs or [self.last]
        outputs = [helper.make_tensor_value_info(name, code, ("n", "m")) for name in names]
        graph = helper.make_graph(self.nodes, "graph", [given], outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(ML, 3)]
        return helper.make_model(graph, opset_imports=opsets)

    def save(self, folder):
        path = folder / "model.onnx"
        path.write_bytes(self.model().SerializeToString())
        return path

    def outputs_for(self, X):
        """What the evaluator of the package onnx computes."""
        return ReferenceEvaluator(self.model()).run(None, {"x": X})
