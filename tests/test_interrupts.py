"""Ctrl-C: training ends at once, with the weights of whole steps, and can go on."""

import subprocess
import sys
import textwrap
import threading
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT like this")

COMMON = """
import signal, sys, time, numpy as np, bpcore

signal.signal(signal.SIGINT, signal.default_int_handler)
rng = np.random.default_rng(0)
X, y = rng.normal(size=(20_000, 50)).astype("f4"), rng.integers(3, size=20_000)

def network(seed=0):
    return bpcore.Network([50, 40, 3], hidden="tanh", output="softmax", seed=seed)

def finite(net):
    return bool(np.isfinite(net.parameters).all())

def same(a, b):
    return a.parameters.tobytes() == b.parameters.tobytes()

# What fit needs is imported before a signal comes.
network().fit(X, y, epochs=1, learning_rate=0.1)

def interrupted(work):
    # Whether Ctrl-C came out of it, and when.
    print("started", flush=True)
    try:
        work()
    except KeyboardInterrupt:
        return time.time()
"""


def run(script, after=0.4):
    """Send SIGINT; returns when, and the lines that the script prints after "started"."""
    import signal

    command = [sys.executable, "-c", COMMON + textwrap.dedent(script)]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **pipes) as process:
        try:
            assert process.stdout.readline() == "started\n", process.stderr.read()
            threading.Event().wait(after)
            sent = time.time()
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    return sent, out.split()


@pytest.mark.parametrize("batch_size", [None, 32])
def test_ctrl_c_ends_a_fit_at_once_after_whole_steps_and_it_goes_on(batch_size):
    """As many steps anew have the bits; then both end an epoch later, alike.

    A step count that is no multiple of an epoch's is reached by cutting the order of that epoch.
    """
    sent, lines = run(
        f"""
        how = dict(optimizer="adam", dropout=0.3, l2=1e-4, batch_size={batch_size}, n_threads=2)
        net, twin = network(), network()
        print(interrupted(lambda: net.fit(X, y, epochs=10**6, shuffle=False, **how)))
        print(finite(net), net._state.step > 0)
        steps = -(-len(X) // ({batch_size} or len(X)))
        whole, rest = divmod(net._state.step, steps)
        print(net.epochs == whole)
        twin.fit(X, y, epochs=whole, shuffle=False, **how)
        if rest:
            rows = slice(0, rest * {batch_size or 0})
            twin.fit(X[rows], y[rows], epochs=1, shuffle=False, **how)
            twin.epochs = whole
        print(same(net, twin), net._state.moments.tobytes() == twin._state.moments.tobytes())
        for each in (net, twin):
            each.fit(X, y, epochs=1, shuffle=False, **how)
        print(same(net, twin), net.epochs == whole + 1)
        """
    )
    ended, *laws = lines
    assert float(ended) - sent < 0.3
    assert laws == ["True"] * 7


@pytest.mark.parametrize("failing", [False, True])
def test_ctrl_c_ends_all_networks_after_whole_steps(failing):
    """Also those that wait behind one that has failed, and those that have not begun."""
    sent, lines = run(
        f"""
        nets = [network(seed) for seed in range(5)]
        rates = [0.1] * 5
        if {failing}:
            rates[0] = np.nan
        how = dict(batch_size=None, l2=0.01)
        work = lambda: bpcore.fit_many(
            nets, X, y, epochs=10**6, n_threads=2, learning_rate=bpcore.per_network(rates), **how
        )
        print(interrupted(work))
        print(all(map(finite, nets)), sum(net.epochs > 0 for net in nets))
        for seed, net in enumerate(nets):
            twin = network(seed)
            if net.epochs:
                twin.fit(X, y, epochs=net.epochs, learning_rate=0.1, **how)
            if not same(net, twin):
                print("other bits", seed)
        """
    )
    ended, *laws = lines
    assert float(ended) - sent < 1
    assert laws == ["True", "2"]


def test_ctrl_c_in_a_generator_keeps_what_was_learnt():
    sent, lines = run(
        """
        def batches():
            while True:
                yield X[:100], y[:100]

        net, twin = network(), network()
        print(interrupted(lambda: net.fit(batches(), epochs=1, optimizer="adam")))
        steps = net._state.step
        twin.fit([(X[:100], y[:100])] * steps, epochs=1, optimizer="adam")
        print(same(net, twin), steps > 0, net.epochs == 0, finite(net))
        """
    )
    ended, *laws = lines
    assert float(ended) - sent < 0.3
    assert laws == ["True"] * 4
