"""ONNX files: the graph of a network as a model of opset 13, which old runtimes read, too."""

import os

from .._inputs import check
from .._io.atomic_write import replace
from .._io.fingerprint import of_network
from .._version import __version__
from ._graph import graph_of

OPTIONS = {"name"}

OPSET = 13  # The first in which Gemm, Softmax and Max are what they still are; onnx 1.8.
IR_VERSION = 7  # That of onnx 1.8.
LIMIT = 2**31 - 2**20  # bytes of parameters; protobuf's messages end at 2**31, nodes and all.


def write(net, path, *, labels=None, name=None):
    """Write ``net`` to ``path`` as a graph of this name; see ``Network.export``."""
    if name is None:
        name = os.path.splitext(os.path.basename(os.fsencode(path)))[0].decode("utf-8", "replace")
    elif not isinstance(name, str) or not name:
        raise TypeError(f"name is {check.shown(name)}, but a string is expected")
    elif name.encode(errors="replace").decode() != name:
        raise ValueError(f"name is {check.shown(name)}, but text that UTF-8 can hold is expected")
    if net.parameters.nbytes > LIMIT:
        raise ValueError(
            f"the network has {net.parameters.nbytes / 2**30:.1f} GiB of parameters, but an ONNX "
            "file holds less than 2 GiB"
        )
    replace(path, [net._training_lock.snapshot(lambda: model_bytes(net, name, labels))])


def model_bytes(net, name, labels=None):
    """The file, which ``onnx.checker`` has found right."""
    onnx = _package()
    model = onnx.helper.make_model(
        _proto(onnx, net, name, labels),
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        producer_name="bpcore",
        producer_version=__version__,
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _package():
    try:
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError(
            f"an .onnx file needs the package onnx: pip install onnx ({error})"
        ) from None
    return onnx


def _proto(onnx, net, name, labels):
    """The graph of ``net`` in the package's own words."""
    graph, helper = graph_of(net, labels), onnx.helper

    def described(value, columns):
        code = helper.np_dtype_to_tensor_dtype(value.dtype)
        return helper.make_tensor_value_info(value.name, code, ["N", *columns])

    return helper.make_graph(
        [
            helper.make_node(operator, inputs, [output], f"{operator}_{number}", **attributes)
            for number, (operator, inputs, output, attributes) in enumerate(graph.nodes)
        ],
        name,
        [described(graph.input, net.sizes[:1])],
        [described(*output) for output in graph.outputs.values()],
        [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
        doc_string=f"{net!r}, fingerprint {of_network(net)}",
    )
