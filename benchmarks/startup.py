"""How long it takes from nothing to the first answer: import, first fit, first prediction.

    python benchmarks/startup.py [--repeats 9] [--quick]

Each sample is a new process, which imports, trains 20-16-1 on 100 rows for one epoch and predicts
one row; systems take turns. NumPy's own import, and 100 random rows, are a column of their own,
since all need them; the others are milliseconds after it, medians.
"""

import argparse
import json
import statistics
import subprocess
import sys

# A program for each system: what it imports, its first fit, and its first prediction.
DATA = "X = numpy.random.default_rng(0).random((100, 20), 'f4'); y = X[:, 0] > .5"
SYSTEMS = {
    "bpcore": (
        "import bpcore",
        "net = bpcore.Network([20, 16, 1], seed=1); net.fit(X, y, epochs=1, learning_rate=0.1)",
        "net.predict(X[:1])",
    ),
    "bpcore.sklearn": (
        "from bpcore.sklearn import MLPClassifier",
        "net = MLPClassifier(16, max_iter=1); net.fit(X, y)",
        "net.predict(X[:1])",
    ),
    "scikit-learn": (
        "from sklearn.neural_network import MLPClassifier",
        "net = MLPClassifier(16, max_iter=1); net.fit(X, y)",
        "net.predict(X[:1])",
    ),
    "PyTorch": (
        "import torch",
        "X, y = torch.from_numpy(X), torch.from_numpy(y.astype('f4'))[:, None]; "
        "net = torch.nn.Sequential(torch.nn.Linear(20, 16), torch.nn.Sigmoid(), "
        "torch.nn.Linear(16, 1)); step = torch.optim.SGD(net.parameters(), 0.1); "
        "torch.nn.functional.binary_cross_entropy_with_logits(net(X), y).backward(); step.step()",
        "net(X[:1])",
    ),
    "JAX": (
        "import jax, jax.numpy as jnp",
        "W = [jnp.ones((20, 16)) / 20, jnp.ones((16, 1)) / 16]; "
        "out = lambda W, X: jax.nn.sigmoid(X @ W[0]) @ W[1]; "
        "cost = lambda W: jnp.mean(jnp.logaddexp(0, out(W, X)) - y[:, None] * out(W, X)); "
        "W = jax.jit(lambda W: [w - 0.1 * g for w, g in zip(W, jax.grad(cost)(W))])(W)",
        "jax.jit(out)(W, X[:1]).block_until_ready()",
    ),
}
PROGRAM = """
import json, time, warnings
warnings.simplefilter("ignore")
clock = [time.perf_counter()]
import numpy
{}
clock.append(time.perf_counter())
{}
clock.append(time.perf_counter())
{}
clock.append(time.perf_counter())
{}
clock.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(clock, clock[1:])]))
"""


def sample(system):
    """Seconds of NumPy's import, of the system's, of its first fit and of its first prediction."""
    imports, fit, predict = SYSTEMS[system]
    program = PROGRAM.format(DATA, imports, fit, predict)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9, metavar="R")
    parser.add_argument("--quick", action="store_true", help="once, to see that it runs")
    options = parser.parse_args()
    samples = {name: sample(name) for name in SYSTEMS}  # Not counted: files come into memory.
    running = [name for name, first in samples.items() if not isinstance(first, str)]
    taken = {name: [] for name in running}
    for _ in range(1 if options.quick else options.repeats):
        for name in running:
            taken[name].append(sample(name))
    print(f"{'ms':>15} {'NumPy':>9} {'import':>9} {'fit':>9} {'predict':>9} {'all':>9}")
    for name, found in samples.items():
        if name in running:
            medians = [1e3 * statistics.median(column) for column in zip(*taken[name], strict=True)]
            columns = "".join(f"{median:10.2f}" for median in [*medians, sum(medians)])
            print(f"{name:>15}{columns}")
        else:
            print(f"{name:>15}  {found}")


if __name__ == "__main__":
    main()
