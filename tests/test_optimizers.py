"""Laws of the optimisers: trajectories of bpcore.reference and of PyTorch, penalties and norms.

Two computations of the same 50 steps in float64 differ by their roundings, which the steps carry
on. Measured over all rules and extras below: at most 1e-15 for the numpy_oracle.
"""

import numpy as np
import pytest

from bpcore import _core
from tests import numpy_oracle
from tests.bits import same_bits
from tests.core_network import Net
from tests.execution_modes import learn

NUMBERS = dict(momentum=0.9, decay=0.99, epsilon=1e-3)
NUMBERS |= dict(shrink=0.5, grow=1.2, least_step=1e-4, most_step=0.02)
# Every optimiser, with those of the numbers that it takes.
RULES = {name: numpy_oracle.rule(name, NUMBERS) for name in _core.OPTIMIZERS}
RULES["adam, epsilon inside"] = RULES["adam"] | dict(epsilon_inside=True)
EXTRAS = {
    "none": {},
    "l2": dict(l2=0.1),
    "l1": dict(l1=0.05),
    "l2 and l1, of the sum": dict(l2=0.3, l1=0.2, penalty_of_sum=True),
    "clip_norm": dict(clip_norm=0.3),
    "clip_norm of penalties": dict(clip_norm=0.5, l2=0.2, l1=0.1),
    "max_norm": dict(max_norm=0.8),
    "weight_decay": dict(weight_decay=0.3),
    "all": dict(clip_norm=1, l2=0.1, l1=0.1, weight_decay=0.1, max_norm=1, penalty_of_sum=True),
}
HOWS = dict(rate=0.03, epochs=10)
FIRST = (0, 0.01)  # The steps of rprop; other moments start at 0.


def first_moments(rule):
    return FIRST if rule["optimizer"] == "rprop" else (0, 0)


def example(dtype=np.float64, rows=23, **more):
    net = Net([6, 5, 3], "tanh", "identity", "mse", dtype, **more)
    X, Y = net.data(rows)
    return net, X, Y, np.random.default_rng(8).uniform(0.2, 3, rows).astype(dtype)


def both(rule, batch_rows=5, weighted=True, settings=None, **how):
    """The core's and the reference's results of 50 steps."""
    net, X, Y, weights = example()
    given = dict(weights=weights if weighted else None, first_moments=first_moments(rule))
    given |= HOWS | how
    core = learn(net, X, Y, batch_rows, rule, settings=settings, **given)
    return core, numpy_oracle.train(net, X, Y, batch_rows, rule, **given, **(settings or {}))


def distance(core, expected):
    """The largest difference of parameters, moments, losses and penalties."""
    parameters, moments, losses, penalties = expected
    pairs = [(core.parameters, parameters), (core.losses, losses), (core.penalties, penalties)]
    pairs += list(zip(core.moments, moments, strict=True))
    return max(np.abs(np.subtract(a, b)).max() for a, b in pairs)


# ---- The reference -------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("name", RULES)
def test_fifty_steps_follow_the_reference(isa, name, extra):
    rule = RULES[name] | EXTRAS[extra]
    core, expected = both(rule)
    assert core.training.step == 50
    assert distance(core, expected) < 1e-14
    assert not np.abs(core.parameters - example()[0].parameters).max() < 0.01
    assert (max(core.penalties) > 0) == ("l1" in rule or "l2" in rule)


@pytest.mark.parametrize("settings", [dict(warmup_steps=20), dict(rows_count=True)])
@pytest.mark.parametrize("name", RULES)
def test_warm_up_and_the_count_of_rows_follow_the_reference(name, settings):
    core, expected = both(RULES[name] | EXTRAS["all"], settings=settings)
    plain, _ = both(RULES[name] | EXTRAS["all"])
    assert distance(core, expected) < 1e-14
    assert core.losses != plain.losses
    if "warmup_steps" not in settings:
        assert same_bits(core.parameters, plain.parameters)


def test_a_wrong_constant_is_seen():
    for name in RULES:
        for extra in EXTRAS:
            rule = RULES[name] | EXTRAS[extra]
            core, _ = both(rule)
            for field in rule.keys() - {"optimizer", "epsilon_inside", "penalty_of_sum"}:
                net, X, Y, weights = example()
                wrong = rule | {field: rule[field] * 0.999}
                given = dict(weights=weights, first_moments=first_moments(rule))
                expected = numpy_oracle.train(net, X, Y, 5, wrong, **given, **HOWS)
                seen = np.abs(core.parameters - expected[0]).max() > 1e-11
                quiet = name == "rprop" and field in ("l2", "l1", "clip_norm", "least_step")
                assert seen or quiet, (rule, field)


def test_the_epochs_losses_and_penalties_are_those_before_the_updates():
    rule = RULES["sgd"] | EXTRAS["l2"]
    net, X, Y, weights = example()
    core = learn(net, X, Y, len(X), rule, weights=weights, epochs=1)
    assert core.losses == [net.gradient(X, Y, weights=weights)[1]]
    expected = numpy_oracle.penalty(net, rule)[0]
    assert abs(core.penalties[0] - expected) < 1e-14 * expected
    assert learn(net, X, Y, 5, epochs=3).penalties == [0, 0, 0]


@pytest.mark.parametrize("extra", ["l2", "l1", "weight_decay", "max_norm"])
def test_biases_have_neither_penalties_nor_decay(isa, dtype, extra):
    net, X, Y, _ = example(dtype)
    net.parameters *= 4
    for rule in RULES.values():
        given = dict(first_moments=first_moments(rule))
        plain = learn(net, X, Y, len(X), rule, **given)
        more = learn(net, X, Y, len(X), rule | EXTRAS[extra], **given)
        layers = zip(net.layers(plain.parameters), net.layers(more.parameters), strict=True)
        for (_, b), (_, b_more) in layers:  # The way through l1 rounds once more.
            assert np.abs(b - b_more).max() <= 4 * np.finfo(dtype).eps * np.abs(b).max()
        by_size = rule["optimizer"] in ("sgd", "momentum", "nesterov")  # Not by signs alone.
        if by_size or extra in ("weight_decay", "max_norm"):
            layers = zip(net.layers(plain.parameters), net.layers(more.parameters), strict=True)
            assert all(np.abs(W - V).max() > 1e-5 for (W, _), (V, _) in layers)


def test_no_rule_is_sgd_up_to_a_rounding(isa, dtype):
    net, X, Y, _ = example(dtype)
    plain, ruled = (learn(net, X, Y, 5, rule).parameters for rule in (None, RULES["sgd"]))
    step = np.abs(plain - net.parameters).max()
    assert 0 < np.abs(plain - ruled).max() < 8 * np.finfo(dtype).eps * (np.abs(plain).max() + step)


# ---- Norms -----------------------------------------------------------------------------------


def test_max_norm_bounds_the_weights_into_each_unit_and_touches_no_shorter_ones(isa, dtype):
    net, X, Y, _ = example(dtype)
    free = learn(net, X, Y, len(X), RULES["sgd"]).parameters
    most = 0.9
    bound = learn(net, X, Y, len(X), RULES["sgd"] | dict(max_norm=most)).parameters
    kept = shortened = 0
    for (W, _), (V, _) in zip(net.layers(free), net.layers(bound), strict=True):
        before, after = (np.sqrt((x.astype(float) ** 2).sum(axis=0)) for x in (W, V))
        short = before < most * 0.999
        assert same_bits(W[:, short], V[:, short])
        assert np.abs(after[~short] - most).max(initial=0) < 8 * np.finfo(dtype).eps
        kept, shortened = kept + short.sum(), shortened + (~short).sum()
    assert kept and shortened


@pytest.mark.parametrize("power", [0, 10, 40])
def test_a_gradient_of_any_length_is_shortened_to_clip_norm(isa, dtype, power):
    """Also where the sum of its squares is too large for a number: about 2^(6 power) in float32,
    2^(36 power) in float64."""
    net = Net([4, 2], None, "identity", "mse", dtype)
    X, Y = net.data(7)
    large = dtype.type(2.0 ** (power if dtype == np.float32 else 6 * power))
    net.parameters[:] = 0
    rule = RULES["sgd"] | dict(clip_norm=0.125)
    moved = learn(net, X * large, Y * large**2, 7, rule, rate=1.0).parameters
    g = net.gradient(X * large, Y * large**2)[0].astype(np.longdouble)
    length = np.sqrt((g**2).sum())
    assert length > 0.125 and (length > np.sqrt(np.finfo(dtype).max)) == (power == 40)
    assert np.abs(moved + g * 0.125 / length).max() < 8 * np.finfo(dtype).eps * 0.125


def test_a_gradient_that_is_short_enough_is_not_changed(isa, dtype):
    net, X, Y, _ = example(dtype)
    for most in (1e3, float(np.finfo(dtype).max)):
        clipped = learn(net, X, Y, 5, RULES["adam"] | dict(clip_norm=most))
        plain = learn(net, X, Y, 5, RULES["adam"])
        near = 16 * np.finfo(dtype).eps
        assert np.abs(clipped.parameters - plain.parameters).max() < near


# ---- Single steps ------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.9, 0.99, 0.999, 0.9999])
def test_the_first_step_of_adam_is_the_learning_rate(isa, dtype, decay):
    """Its averages are those of one gradient, whose size does not matter. 1 - decay is exact for
    the rounded decay, so that a few roundings are left: of the factors, the root, the quotient."""
    net, X, Y, _ = example(dtype)
    net.parameters[:] *= 1e-3  # So that the parameters' own rounding is small.
    rule = dict(optimizer="adam", momentum=0.9, decay=decay, epsilon=float(np.finfo(dtype).tiny))
    for inside in (False, True):
        step = learn(net, X, Y, len(X), rule | dict(epsilon_inside=inside), rate=0.25)
        change = np.abs(step.parameters.astype(float) - net.parameters)
        assert np.abs(change / 0.25 - 1).max() < 8 * np.finfo(dtype).eps


def test_rprop_asks_for_signs_alone(isa, dtype):
    """Inputs of 2^-40 and of 2^-80 in float32, whose products of two gradients would be 0: the
    outputs are the biases, so that the weights' gradients have the same signs."""
    net, X, Y, _ = example(dtype)
    line = Net([6, 3], None, "identity", "mse", dtype)
    results = []
    for exponent in [-40, -80] if dtype == np.float32 else [-80, -540]:
        small = X * dtype.type(2.0**exponent)
        given = dict(epochs=4, first_moments=FIRST)
        results.append(learn(line, small, Y, 5, RULES["rprop"], **given))
    assert same_bits(results[0].parameters, results[1].parameters)
    assert len(np.unique(results[1].moments[1][:18])) > 4


# ---- Weights of rows, and what is refused --------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_a_batch_whose_weights_are_all_zero_changes_nothing(isa, dtype, name):
    net, X, Y, weights = example(dtype, 15)
    given = dict(first_moments=first_moments(RULES[name]), epochs=2)
    weights[5:10] = 0
    rule = RULES[name] | EXTRAS["all"]
    whole = learn(net, X, Y, 5, rule, weights=weights, **given)
    used = np.r_[0:5, 10:15]
    without = learn(net, X[used], Y[used], 5, rule, weights=weights[used], **given)
    assert same_bits(whole.parameters, without.parameters)
    assert same_bits(whole.moments, without.moments)
    assert whole.losses == without.losses and whole.penalties == without.penalties
    assert whole.training.step == 4
    none = learn(net, X, Y, 5, rule, weights=0 * weights, **given)
    assert same_bits(none.parameters, net.parameters) and none.losses == [0, 0]
    assert none.training.step == 0 and (none.moments[:1] == 0).all()


BAD = [dict(momentum=x) for x in (-0.1, 1, 1 - 1e-17, np.nan, np.inf)]
BAD += [dict(decay=x) for x in (-0.1, 1, np.nan)]
BAD += [dict(epsilon=x) for x in (0, -1e-8, np.nan, np.inf, 1e-310)]
BAD += [{name: x} for name in ("weight_decay", "l2", "l1") for x in (-1, np.nan, np.inf)]
BAD += [{name: x} for name in ("clip_norm", "max_norm") for x in (-1, np.nan, np.inf)]
BAD_RPROP = [dict(shrink=x) for x in (0, 1, -1, np.nan)] + [dict(grow=x) for x in (1, 0.5, np.nan)]
BAD_RPROP += [dict(grow=np.inf), dict(least_step=0), dict(least_step=1), dict(most_step=np.inf)]


@pytest.mark.parametrize(
    "rule", [RULES["adam"] | bad for bad in BAD] + [RULES["rprop"] | bad for bad in BAD_RPROP]
)
def test_a_bad_rule_is_refused_before_anything_changes(dtype, rule):
    net, X, Y, _ = example(dtype)
    parameters, moments = net.parameters.copy(), np.ones((2, len(net.parameters)), dtype)
    training = _core.Training(5, 0.1, 1, _core.Rule(**rule))
    with pytest.raises(ValueError):
        training.run(net.core, parameters, X, Y, None, 99, net.workspace(5), moments=moments)
    assert same_bits(parameters, net.parameters) and (moments == 1).all()
    assert training.row == training.step == 0


def test_numbers_that_round_out_of_their_range_are_refused_in_float32_alone():
    for bad in (dict(momentum=1 - 1e-9), dict(decay=1 - 1e-9), dict(epsilon=1e-39)):
        net, X, Y, _ = example(np.float32)
        with pytest.raises(ValueError):
            learn(net, X, Y, 5, RULES["adam"] | bad)
        net, X, Y, _ = example()
        assert np.isfinite(learn(net, X, Y, 5, RULES["adam"] | bad).parameters).all()


@pytest.mark.parametrize("name", RULES)
def test_moments_of_another_shape_are_refused(dtype, name):
    net, X, Y, _ = example(dtype)
    rule = _core.Rule(**RULES[name])
    shapes = [(rule.moments - 1, net.core.parameter_count), (2, net.core.parameter_count - 1)]
    for moments in [np.zeros(shape, dtype) for shape in shapes if shape[0] >= 0] + [None]:
        training = _core.Training(5, 0.1, 1, rule)
        data = net.core, net.parameters, X, Y, None, 99, net.workspace(5)
        if rule.moments:
            with pytest.raises(ValueError):
                training.run(*data, moments=moments)
            assert training.step == 0
    assert rule.moments == {"sgd": 0, "adam": 2, "rprop": 2}.get(RULES[name]["optimizer"], 1)


@pytest.mark.parametrize("rule", ["momentum", "nesterov", "rmsprop", "adam"])
def test_a_moment_that_decays_is_normal_or_zero(isa, dtype, rule):
    """A feature that one step used, and no other: rounding alone would keep its moments from 0."""
    fading = numpy_oracle.rule(rule, NUMBERS | dict(momentum=0.8, decay=0.8))
    net = Net([40, 1], "tanh", "identity", "mse", dtype)
    X, Y = np.ones((4000, 40), dtype), np.ones((4000, 1), dtype)
    X[1:, :37] = 0
    done = learn(net, X, Y, 1, fading, rate=0.001)
    kept = np.abs(np.ravel(done.moments))
    assert len(kept) and np.all((kept == 0) | (kept >= np.finfo(dtype).tiny))
    assert not done.moments[0][:37].any()
