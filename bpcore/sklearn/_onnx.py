"""The estimators as parts of pipelines that skl2onnx converts."""

import numpy as np

from . import _network
from ._classifier import MLPClassifier
from ._regressor import MLPRegressor


def register_onnx_converters() -> None:
    """Tell skl2onnx how the estimators are converted, alone and in pipelines.

    They compute in the precision of the input: in double where it is double, in single otherwise.
    A classifier has the options that scikit-learn's has there: "zipmap", "nocl" and
    "output_class_labels".

    Raises
    ------
    ImportError
        Without the package skl2onnx.
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError as error:
        raise ImportError(
            f"register_onnx_converters needs skl2onnx: pip install skl2onnx ({error})"
        ) from None
    options = {
        "zipmap": [True, False, "columns"],
        "output_class_labels": [False, True],
        "nocl": [True, False],
    }
    update_registered_converter(
        MLPClassifier, "BpcoreMLPClassifier", _classifier_shapes, _convert, options=options
    )
    update_registered_converter(MLPRegressor, "BpcoreMLPRegressor", _regressor_shapes, _convert)


def _classifier_shapes(operator):
    """Types and shapes of the label and the probabilities."""
    from skl2onnx.common import data_types, shape_calculator

    shape_calculator.calculate_linear_classifier_output_shapes(operator)
    model, label = operator.raw_operator, operator.outputs[0]
    if model._is_multilabel():
        rows = operator.inputs[0].get_first_dimension()
        label.set_type(data_types.Int64TensorType([rows, len(model.classes_)]))


def _regressor_shapes(operator):
    """Type and shape of the values."""
    from skl2onnx.common import shape_calculator

    shape_calculator.calculate_linear_regressor_output_shapes(operator)
    operator.outputs[0].type.shape[1] = operator.raw_operator.n_outputs_


def _convert(scope, operator, container):
    """Put the graph of an estimator into ``container``, under names that are free there."""
    from onnx.helper import np_dtype_to_tensor_dtype

    from ..export._graph import graph_of

    graph = graph_of(*_network_and_labels(scope, operator), dtype=_dtype(operator.inputs[0].type))
    names = {graph.input.name: operator.inputs[0].full_name}
    names |= zip(graph.outputs, operator.output_full_names, strict=True)

    def unique(name):
        if name not in names:
            names[name] = scope.get_unique_variable_name(name)
        return names[name]

    for name, array in graph.constants.items():
        code = np_dtype_to_tensor_dtype(array.dtype)
        container.add_initializer(unique(name), code, array.shape, array.ravel())
    for kind, inputs, output, attributes in graph.nodes:
        label = scope.get_unique_operator_name(kind)
        container.add_node(kind, [*map(unique, inputs)], unique(output), name=label, **attributes)


def _dtype(kind):
    """The dtype of an input of skl2onnx's."""
    from onnx.helper import tensor_dtype_to_np_dtype
    from skl2onnx.common.data_types import guess_proto_type

    return tensor_dtype_to_np_dtype(guess_proto_type(kind))


def _network_and_labels(scope, operator):
    """The network, in the precision of the input, and the labels that are wanted."""
    from skl2onnx.common.utils_classifier import get_label_classes

    model, given = operator.raw_operator, _dtype(operator.inputs[0].type)
    arrays = model._arrays()
    settings = model._settings(_network.sizes_of(*arrays))
    coupled = _network.create(settings, given if given == np.float64 else np.dtype("float32"))
    with np.errstate(over="ignore"):  # Becomes infinite, which a graph refuses.
        coupled.read(*arrays)
    labels = model._exported_labels()
    if labels is not None and not isinstance(labels, str):
        labels = get_label_classes(scope, model)  # Their positions with the option "nocl".
    return coupled.net, labels
