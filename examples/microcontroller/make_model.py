"""Trains a network on the digits of MNIST, and writes it as C twice: in float and in int8."""

from pathlib import Path

from bpcore import Network
from bpcore.datasets import load_mnist

(X, y), (X_test, y_test) = load_mnist()
net = Network([784, 30, 10], hidden="relu", output="softmax", seed=1)
net.fit(X, y, epochs=5, batch_size=20, learning_rate=0.1)
small = net.quantize(X[:500])
figures = small.compare(net, X_test, y_test)
print(f"accuracy {figures['accuracy_before']:.4f} in float, {figures['accuracy']:.4f} in int8")

for kind, network in (("float", net), ("int8", small)):
    Path("build", kind).mkdir(parents=True, exist_ok=True)
    network.export(f"build/{kind}/digits.c", check=X_test[:3])
