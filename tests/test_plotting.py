"""Laws of the pictures: what they show, that it can be read, and that they leave no trace."""

import struct
import sys
from itertools import combinations

import numpy as np
import pytest

import bpcore
from bpcore import plotting
from bpcore.experiments import figures, page, tutorials

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib")

# name: sizes, hidden activation, start weights, classes
NETWORKS = {
    "mnist58": ([784, 12, 1], "sigmoid", "lecun_normal", 2),
    "mnist10": ([784, 30, 10], "sigmoid", ("normal", 1.0, "biases"), 10),
    "cats": ([12288, 7, 1], "relu", ("normal", 0.01), 2),
}


def trained(name, sizes=None, epochs=12, rows=80):
    """A result as an experiment leaves it, of random images."""
    usual, hidden, init, classes = NETWORKS[name]
    random = np.random.default_rng(1)
    X = random.random((rows, usual[0])).astype(np.float32)
    y = random.permutation(rows) % classes
    loss = "mse" if classes > 2 else "bce"
    net = bpcore.Network(sizes or usual, hidden=hidden, loss=loss, init=init, seed=1)
    history = net.fit(X, y, epochs=epochs, learning_rate=0.01, eval_set=(X, y))
    return tutorials.Result(
        name=name,
        unit="epoch" if name == "mnist10" else "iteration",
        net=net,
        history=history,
        train=(X, y),
        test=(X, y),
        costs=list(enumerate(history.loss))[::5],
        settings={},
        final_cost=net.loss(X, y),
        train_accuracy=net.evaluate(X, y)["accuracy"],
        test_accuracy=net.evaluate(X, y)["accuracy"],
    )


LONG = pytest.mark.long


@pytest.fixture(params=["mnist58", *(pytest.param(n, marks=LONG) for n in ("mnist10", "cats"))])
def result(request):
    return trained(request.param)


@pytest.fixture
def history():
    history = bpcore.History()
    history.loss, history.eval_loss, history.eval_accuracy = [0.7, 0.3], [0.8, 0.4], [0.6, 0.9]
    return history


def draw(result):
    with matplotlib.rc_context(plotting.STYLE):
        figure = plotting.new_figure()
        figures.draw(result, figure)
    return figure


def axes(figure, label):
    return [ax for ax in figure.axes if ax.get_label() == label]


def words(figure):
    return [text.get_text() for text in figure.texts]


# ---- plot_history --------------------------------------------------------------------------------


def test_plot_history_draws_the_history(history):
    ax = history.plot()
    training, evaluation = ax.lines
    assert list(training.get_ydata()) == history.loss
    assert list(evaluation.get_ydata()) == history.eval_loss
    right = next(other for other in ax.figure.axes if other is not ax)
    assert list(right.lines[0].get_ydata()) == history.eval_accuracy
    legend = [text.get_text() for text in right.get_legend().get_texts()]
    assert legend == ["training loss", "evaluation loss", "evaluation accuracy"]


def test_plot_history_of_losses_alone_needs_no_legend():
    history = bpcore.History()
    history.loss = [0.5]
    ax = plotting.plot_history(history)
    assert ax.get_legend() is None and ax.figure.axes == [ax]
    assert ax.lines[0].get_marker() == "o"  # One point has no line.


def test_plot_history_draws_into_given_axes(history):
    given = matplotlib.figure.Figure().add_subplot()
    assert plotting.plot_history(history, given) is given


def test_pictures_leave_pyplot_and_settings_alone(history, tmp_path):
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    plotting.plot_history(history).figure.savefig(tmp_path / "history.png")
    figures.report(trained("mnist58"), tmp_path / "report.png")
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def test_missing_matplotlib_is_an_error_that_helps(history, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        history.plot()


# ---- report --------------------------------------------------------------------------------------


def test_the_report_is_a_png_1600_wide(result, tmp_path):
    figures.report(result, tmp_path / "p.png")
    content = (tmp_path / "p.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n") and content.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", content[16:24])
    assert width == 1600 and 1300 < height < 1700


@pytest.mark.parametrize(("ending", "magic"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_report_can_be_drawn_in_vectors(tmp_path, ending, magic):
    figures.report(trained("mnist58"), tmp_path / f"p.{ending}")
    assert (tmp_path / f"p.{ending}").read_bytes().startswith(magic)


def test_the_report_does_not_depend_on_the_users_settings(tmp_path):
    result = trained("mnist58")
    figures.report(result, tmp_path / "usual.png")
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 20, "savefig.dpi": 50}):
        figures.report(result, tmp_path / "dark.png")
    assert (tmp_path / "usual.png").read_bytes() == (tmp_path / "dark.png").read_bytes()


def test_the_title_says_network_precision_seconds_and_accuracies(result):
    result.history.seconds = 12.34
    subtitle = words(draw(result))[1]
    for fact in (
        "–".join(map(str, result.net.sizes)),
        "float32",
        "12.3 s",
        f"train accuracy {100 * result.train_accuracy:.2f} %",
        f"test {100 * result.test_accuracy:.2f} %",
    ):
        assert fact in subtitle


@pytest.mark.parametrize(
    ("share", "late", "failure"),
    [
        (0.9, 0.9, None),
        (0.98, 0.98, None),
        (0.995, 0.995, "hardly fallen"),
        (1 + 1e-7, 1, "hardly fallen"),  # Rounding.
        (1.01, 0.9, "risen"),
        (float("nan"), 0.9, "risen"),
        (0.9, 1.3, "swung"),
    ],
)
def test_a_training_has_failed_by_its_last_costs(share, late, failure):
    """That of the trained network and that before its last step, both as shares of the first."""
    result = trained("mnist58", [784, 1], epochs=2)
    first = result.history.loss[0]
    result.final_cost, result.history.loss[-1] = share * first, late * first
    assert result.failure == failure


def test_the_title_says_whether_the_training_has_failed(result):
    result.final_cost = 0.5 * result.history.loss[0]
    assert words(draw(result))[0].startswith("A network learns to ")
    result.final_cost = 1.01 * result.history.loss[0]
    title = words(draw(result))[0]
    assert title.startswith("A network fails to learn to ")
    assert title.endswith(": its cost has risen")


def test_the_heading_has_the_first_and_the_last_cost(result):
    for first, last, text in (
        (0.70437, 0.11, "from 0.7044 to 0.1100"),
        (0.70437, 12345.6, "from 0.7044 to 1.235e+04"),
        (0.70437, 1.234e-7, "from 0.7044 to 1.234e-07"),
    ):
        result.history.loss[0], result.history.loss[-1] = first, last
        assert any(heading.endswith(", " + text) for heading in words(draw(result)))


CURVES = {
    "falling": np.geomspace(0.7, 0.01, 12),
    "rising": np.geomspace(0.7, 2, 12),
    "exploding": np.geomspace(0.7, 1e6, 12),
    "swinging": np.tile([0.6, 2.0], 6),
    "flat": np.full(12, 0.7),
    "a peak": np.r_[0.7, 50, np.full(10, 0.6)],
}


# The cats' charts are those of mnist58.
@pytest.mark.parametrize("name", ["mnist58", pytest.param("mnist10", marks=LONG)])
@pytest.mark.parametrize("curve", CURVES)
def test_no_text_lies_on_a_curve(name, curve):
    result = trained(name)
    result.history.loss[:] = CURVES[curve]
    result.history.eval_accuracy[:] = CURVES[curve] / CURVES[curve].max()
    result.costs = list(enumerate(result.history.loss))[::5]
    figure = draw(result)
    figure.draw_without_rendering()
    lines = [line for ax in axes(figure, "chart") for line in ax.lines]
    assert len(lines) == {"mnist58": 2, "mnist10": 3}[name]
    paths = [line.get_path().transformed(line.get_transform()) for line in lines]
    texts = [*figure.texts, *(text for ax in axes(figure, "chart") for text in ax.texts)]
    boxes = {text.get_text(): text.get_window_extent() for text in texts}
    assert [t for t in boxes if any(path.intersects_bbox(boxes[t]) for path in paths)] == []


@pytest.mark.parametrize(
    "hidden", [[], [5], [2, 3], *(pytest.param(n, marks=LONG) for n in ([1], [4]))], ids=str
)
@pytest.mark.parametrize("name", NETWORKS)
def test_weights_fill_the_width_of_the_page(name, hidden):
    usual = NETWORKS[name][0]
    result = trained(name, [usual[0], *hidden, usual[-1]], epochs=2)
    figure = draw(result)
    boxes = [ax.get_position() for ax in axes(figure, "image")]
    last_row = [box for box in boxes if box.y0 < min(box.y0 for box in boxes) + 0.01]
    assert min(box.x0 for box in last_row) * page.WIDTH == pytest.approx(page.LEFT, abs=0.02)
    assert max(box.x1 for box in last_row) * page.WIDTH == pytest.approx(page.RIGHT, abs=0.02)
    assert collisions(figure, least=20) == []


@pytest.mark.parametrize(
    ("name", "charts", "weights"), [("mnist58", 3, 16), ("mnist10", 2, 30), ("cats", 3, 14)]
)
def test_the_report_has_its_charts_errors_and_weights(name, charts, weights):
    result = trained(name)
    figure = draw(result)
    X, y = result.test
    wrong = int((result.net.predict(X) != y).sum())
    assert f"{wrong} of {len(y)} test images are misclassified" in " ".join(words(figure))
    most = {"mnist58": 8, "mnist10": 10, "cats": 7}[name]
    shown = len(axes(figure, "image")) - weights
    assert 0 < shown <= min(most, wrong)
    assert len(axes(figure, "chart")) == charts
    assert {"a", "b", "c", "d"} <= set(words(figure))


def test_the_cost_curve_marks_the_printed_costs(result):
    curve, dots = axes(draw(result), "chart")[0].lines
    assert list(curve.get_ydata()) == result.history.loss
    assert list(zip(*dots.get_data(), strict=True)) == result.costs


def test_a_misclassified_digit_stands_above_its_truth_and_probability():
    result = trained("mnist58")
    figure = draw(result)
    (X, y), p = result.test, result.net.forward(result.test[0])[:, 0]
    worst = max(np.flatnonzero((p > 0.5) != y), key=lambda i: abs(p[i] - 0.5))
    assert 0.001 < p[worst] < 0.999
    drawn = axes(figure, "image")[0].images[0].get_array()
    np.testing.assert_array_equal(drawn, X[worst].reshape(28, 28))
    at = words(figure).index(f"P(8) = {p[worst]:.3f}")
    assert words(figure)[at - 1] == f"true {'58'[y[worst]]}"


def test_a_probability_that_rounds_to_0_or_1_lies_between_them(monkeypatch):
    result = trained("mnist58")
    X, y = result.test
    sure = np.where(y == 0, 1 - 1e-7, 1e-7)[:, None]  # Wrong each time.
    monkeypatch.setattr(result.net, "forward", lambda X: sure)
    figure = draw(result)
    assert {"P(8) > 0.999", "P(8) < 0.001"} >= {t for t in words(figure) if t.startswith("P(8)")}


def test_units_that_have_not_changed_are_grey():
    result = trained("cats")
    start = bpcore.Network([12288, 7, 1], hidden="relu", init=("normal", 0.01), seed=1)
    result.net.parameters[:] = start.parameters
    change = [ax.images[0].get_array() for ax in axes(draw(result), "image")[-7:]]
    assert (np.array(change) == 0.5).all()


def memorised(result, units, images):
    """Let units of the first layer change by training images, times some factor."""
    usual, hidden, init, _ = NETWORKS[result.name]
    settings = {"hidden": hidden, "init": init, "seed": 1, "loss": result.net.loss_name}
    start = bpcore.Network(result.net.sizes, **settings)
    result.net.weights[0][:] = start.weights[0] + np.random.default_rng(2).normal(size=usual[0])
    for unit, image in zip(units, images, strict=True):
        result.net.weights[0][unit] = start.weights[0][unit] - 0.3 * result.train[0][image]


def caption(figure):
    return [text for text in words(figure) if "memorised" in text]


def test_a_unit_that_has_memorised_an_image_is_named_below_its_weights(result):
    memorised(result, [], [])
    assert caption(draw(result)) == []
    order = figures._strongest(result.net, 7)
    memorised(result, order[2:3], [5])
    assert caption(draw(result)) == [
        "Unit 3 has memorised a single training image: its change is that image."
    ]
    memorised(result, order[[0, 3, 4]], [9, 1, 9])
    figure = draw(result)
    assert caption(figure) == [
        "Units 1, 4 and 5 have memorised single training images: each change is one of them."
    ]
    assert collisions(figure) == []


def test_a_sum_of_two_images_is_no_memory_of_one():
    X = np.random.default_rng(1).random((5, 784))
    changes = [X[0] + X[1], -X[3], 0 * X[0], X[2] + 0.7 * X[4], X[4]]
    # Independent images x and y: x + 0.7 y has a correlation of 1 / sqrt(1.49) = 0.82 with x.
    found = figures._memorising(X, np.array(changes))
    assert found == [2, 5]


def test_weights_share_one_symmetric_scale_and_differ_by_the_change():
    result = trained("mnist58")
    after, change = np.split(np.array(axes(draw(result), "image")[-16:]), 2)
    limits = {ax.images[0].get_clim() for ax in [*after, *change]}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == -high
    strongest = np.argmax(np.abs(result.net.weights[1][0]))
    W = result.net.weights[0][strongest].reshape(28, 28)
    np.testing.assert_array_equal(after[0].images[0].get_array(), W)
    start = bpcore.Network([784, 12, 1], init="lecun_normal", seed=1).weights[0][strongest]
    np.testing.assert_array_equal(change[0].images[0].get_array(), W - start.reshape(28, 28))


def test_a_network_without_errors_is_drawn_as_well(tmp_path):
    result = trained("mnist58")
    X, _ = result.test
    result.test = X, result.net.predict(X)
    figure = draw(result)
    assert any(text.startswith("0 of 80 test images") for text in words(figure))


def collisions(figure, least=30):
    """Texts that leave the page, and pairs of texts that overlap."""
    figure.set_dpi(page.DPI)
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text().strip()]
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts if not _hidden_tick(t, figure)]
    assert len(boxes) > least
    width, height = figure.get_size_inches() * page.DPI
    outside = [t for t, b in boxes if b.x0 < 0 or b.y0 < 0 or b.x1 > width or b.y1 > height]
    return outside + [(a, b) for (a, one), (b, two) in combinations(boxes, 2) if one.overlaps(two)]


def test_no_text_touches_another_or_leaves_the_page(result):
    assert collisions(draw(result)) == []


def test_the_look_for_collisions_can_find_one():
    figure = draw(trained("mnist58"))
    figure.text(0.99, 0.5, "outside")
    figure.text(*figure.texts[0].get_position(), "above")
    assert collisions(figure) == ["outside", (figure.texts[0].get_text(), "above")]


def _hidden_tick(text, figure):
    """Whether a text is the label of a tick outside the limits, which is not drawn."""
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            drawn = [tick.label1 for tick in axis._update_ticks()]
            if text in [tick.label1 for tick in axis.majorTicks + axis.minorTicks]:
                return text not in drawn
            if text in [tick.label2 for tick in axis.majorTicks + axis.minorTicks]:
                return True
    return False
