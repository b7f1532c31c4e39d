"""Networks as programs of other worlds: ONNX graphs and C. See ``Network.export``."""
