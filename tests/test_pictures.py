"""Laws of bpcore.plotting: what is drawn is what the network computes, read from the artists."""

import struct

import numpy as np
import pytest

import bpcore
from bpcore import plotting, schedules
from tests.programs import ROOT, load

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib")

RANDOM = np.random.RandomState(0)
X = RANDOM.uniform(-1, 1, (90, 2))
SIGNS = (X[:, 0] * X[:, 1] > 0).astype(int)
THIRDS = np.digitize(X[:, 0], [-0.3, 0.3])


def two_classes(**settings):
    net = bpcore.Network([2, 6, 1], hidden="tanh", seed=1, **settings)
    net.fit(X, SIGNS, epochs=60, optimizer="adam", learning_rate=0.05)
    return net


def three_classes():
    net = bpcore.Network([2, 5, 3], output="softmax", seed=1)
    net.fit(X, THIRDS, epochs=30, optimizer="adam", learning_rate=0.05)
    return net


def drawn_whole(ax):
    """Draw the figure of axes; warnings of its layout are errors."""
    ax.figure.draw_without_rendering()
    return ax


# ---- Trainings -----------------------------------------------------------------------------------


def test_a_learning_rate_that_changes_is_drawn_below_the_losses():
    net = bpcore.Network([2, 1], seed=1)
    history = net.fit(X, SIGNS, epochs=9, learning_rate=schedules.Step(0.5, every=3), eval_set=0.2)
    ax = drawn_whole(history.plot())
    _, below, right = ax.figure.axes
    assert list(below.lines[0].get_ydata()) == history.learning_rate
    assert (below.get_xlabel(), ax.get_xlabel(), right.get_ylabel()) == ("epoch", "", "accuracy")
    assert below.get_position().y1 < ax.get_position().y0
    assert right.get_position().bounds == pytest.approx(ax.get_position().bounds)


def test_a_constant_learning_rate_is_not_drawn():
    history = bpcore.Network([2, 1], seed=1).fit(X, SIGNS, epochs=9, learning_rate=0.5)
    ax = drawn_whole(history.plot())
    assert ax.figure.axes == [ax]


def test_axes_that_are_no_subplot_take_the_losses_alone():
    net = bpcore.Network([2, 1], seed=1)
    history = net.fit(X, SIGNS, epochs=9, learning_rate=schedules.Step(0.5, every=3))
    ax = plotting.new_figure().add_axes((0.1, 0.1, 0.8, 0.8))
    assert history.plot(ax).figure.axes == [ax]
    assert ax.get_xlabel() == "epoch"


def histories(*losses):
    """Histories of these losses."""
    made = [bpcore.History() for _ in losses]
    for history, loss in zip(made, losses, strict=True):
        history.loss = loss
    return made


def test_learning_rates_draws_a_curve_for_each_history():
    slow, fast, one = histories([0.7, 0.6], [0.7, 0.3], [0.5])
    ax = drawn_whole(plotting.learning_rates({0.1: slow, 1.0: fast, 3: one}))
    assert [line.get_label() for line in ax.lines] == ["0.1", "1.0", "3"]
    assert [list(line.get_ydata()) for line in ax.lines] == [slow.loss, fast.loss, one.loss]
    assert [line.get_marker() for line in ax.lines] == ["None", "None", "o"]
    assert ax.get_yscale() == "linear" and ax.get_legend().get_title().get_text() == "learning rate"
    names = plotting.learning_rates({"sgd": slow, "adam": fast}).get_legend()
    assert names.get_title().get_text() == ""


def test_learning_rates_of_far_losses_have_a_logarithmic_scale():
    good, bad, broken = histories([0.7, 0.006], [0.7, 9.0], [0.7, np.nan])
    assert plotting.learning_rates({"a": good, "b": broken}).get_yscale() == "log"
    assert plotting.learning_rates({"a": bad, "b": broken}).get_yscale() == "linear"


def test_many_histories_differ_by_colour_or_style():
    many = dict(enumerate(histories(*[[1.0, 0.5]] * 20)))
    looks = {
        (line.get_color(), line.get_linestyle()) for line in plotting.learning_rates(many).lines
    }
    assert len(looks) == 20


def test_no_history_is_refused():
    with pytest.raises(ValueError, match="histories is empty"):
        plotting.learning_rates({})


# ---- Networks ------------------------------------------------------------------------------------


def test_weights_are_images_in_rows_with_a_line_between_them():
    net = bpcore.Network([6, 5, 1], seed=1)
    ax = drawn_whole(plotting.weights(net, shape=(2, 3)))
    (image,) = ax.images
    picture = np.ma.filled(image.get_array(), np.nan)
    assert picture.shape == (2 * 3 - 1, 3 * 4 - 1)
    for unit in range(5):
        y, x = unit // 3 * 3, unit % 3 * 4
        np.testing.assert_array_equal(
            picture[y : y + 2, x : x + 3].ravel(), net.weights[0][unit].astype(np.float64)
        )
    assert np.isnan(picture).sum() == picture.size - 30
    limit = np.abs(net.weights[0]).max()
    assert image.get_clim() == (-limit, limit)


def test_weights_of_chosen_units_and_of_colours():
    net = bpcore.Network([12, 4, 1], seed=1)
    ax = drawn_whole(plotting.weights(net, shape=(2, 2, 3), units=[3]))
    picture, W = ax.images[0].get_array(), net.weights[0][3].reshape(2, 2, 3)
    np.testing.assert_allclose(picture, 0.5 + W / (2 * np.abs(W).max()))
    assert len(ax.figure.axes) == 1  # No scale: three colours have none.


@pytest.mark.parametrize(
    "settings, says",
    [
        ({}, "12 inputs are no square image: give shape="),
        ({"shape": (3, 5)}, r"shape is \(3, 5\), but the network has 12 inputs"),
        ({"shape": (2, 3, 2)}, r"shape is \(2, 3, 2\)"),
        ({"shape": (3, 4), "units": [4]}, "units names unit 4, but units are 0 ... 3"),
        ({"shape": (3, 4), "units": [-1]}, "units names unit -1"),
        ({"shape": (3, 4), "units": []}, "a sequence of whole numbers is expected"),
        ({"shape": (3, 4), "units": [0.5]}, "a sequence of whole numbers is expected"),
    ],
)
def test_weights_that_are_no_images_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        plotting.weights(bpcore.Network([12, 4, 1], seed=1), **settings)


def asked_in_the_middles(net, image):
    """Outputs of a network in the middles of an image's pixels."""
    left, right, bottom, top = image.get_extent()
    rows, columns = image.get_array().shape[:2]
    sides = np.linspace(left, right, columns), np.linspace(bottom, top, rows)
    return net.forward(np.stack(np.meshgrid(*sides), -1).reshape(-1, 2)).reshape(rows, columns, -1)


def test_the_decision_boundary_of_one_output_is_where_it_is_one_half():
    net = two_classes()
    ax = drawn_whole(plotting.decision_boundary(net, X, SIGNS, resolution=50))
    image = ax.images[0]
    np.testing.assert_allclose(
        image.get_array(), asked_in_the_middles(net, image)[:, :, 0], atol=1e-6
    )
    line, *points = ax.collections
    (path,) = line.get_paths()
    assert len(path.vertices) > 20
    # Between two points of the grid the line is straight, and the network nearly is.
    np.testing.assert_allclose(net.forward(path.vertices), 0.5, atol=0.05)
    for label in (0, 1):
        np.testing.assert_array_equal(points[label].get_offsets(), X[SIGNS == label])
    left, right, bottom, top = image.get_extent()
    assert left < X[:, 0].min() and right > X[:, 0].max()
    assert bottom < X[:, 1].min() and top > X[:, 1].max()


def test_the_decision_boundary_of_many_outputs_has_a_colour_for_each_class():
    net = three_classes()
    ax = drawn_whole(plotting.decision_boundary(net, X, THIRDS, resolution=40))
    labels = asked_in_the_middles(net, ax.images[0]).argmax(axis=2)
    colours = ax.images[0].get_array()
    for label in range(3):
        assert len(np.unique(colours[labels == label], axis=0)) == 1
    assert len(np.unique(colours.reshape(-1, 4), axis=0)) == len(np.unique(labels)) == 3
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["0", "1", "2"]


@pytest.mark.parametrize("draw", [plotting.decision_boundary, plotting.confusion])
def test_targets_may_be_labels_or_columns(draw):
    def numbers(y):
        ax = draw(three_classes(), X, y)
        offsets = [points.get_offsets().tolist() for points in ax.collections]
        return offsets, [text.get_text() for text in ax.texts]

    assert numbers(THIRDS) == numbers(np.eye(3)[THIRDS]) == numbers(THIRDS.tolist())


def test_targets_of_one_output_may_be_a_column():
    net = two_classes()
    texts = [plotting.confusion(net, X, y).texts for y in (SIGNS, SIGNS[:, None], SIGNS > 0)]
    first, *others = [[text.get_text() for text in some] for some in texts]
    assert others == [first, first]


@pytest.mark.parametrize(
    "net, y, says",
    [
        (bpcore.Network([3, 1], seed=1), SIGNS, "has 3 inputs, but two can be drawn"),
        (bpcore.Network([2, 1], output="identity"), SIGNS, "no classes, but 'identity'"),
        (bpcore.Network([2, 1], seed=1), SIGNS[:5], "X has 90 rows, but y has 5"),
        (bpcore.Network([2, 2], seed=1), SIGNS + 1, "y has the label 2"),
    ],
)
def test_a_decision_that_cannot_be_drawn_is_refused(net, y, says):
    with pytest.raises(ValueError, match=says):
        plotting.decision_boundary(net, X, y)


def test_confusion_counts_the_rows_of_each_pair():
    for net, y, k in ((two_classes(), SIGNS, 2), (three_classes(), THIRDS, 3)):
        ax = drawn_whole(plotting.confusion(net, X, y))
        found = np.array([int(text.get_text()) for text in ax.texts]).reshape(k, k)
        predicted = net.predict(X)
        for true in range(k):
            for other in range(k):
                pairs = zip(y.tolist(), predicted.tolist(), strict=True)
                assert found[true, other] == list(pairs).count((true, other))
        np.testing.assert_allclose(ax.images[0].get_array().sum(axis=1), 1)


def test_confusion_may_name_the_classes_and_miss_one():
    y = np.where(THIRDS == 2, 1, THIRDS)
    ax = drawn_whole(plotting.confusion(three_classes(), X, y, labels=["left", "middle", "right"]))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["left", "middle", "right"]
    assert [text.get_text() for text in ax.texts[6:]] == ["0", "0", "0"]
    with pytest.raises(ValueError, match="labels has 2 names, but there are 3 classes"):
        plotting.confusion(three_classes(), X, y, labels=["a", "b"])


def test_gradient_flow_shows_how_deltas_vanish_through_sigmoids_and_not_through_relu():
    sizes = [2, 16, 16, 16, 16, 16, 1]
    falls = {}
    for hidden in ("sigmoid", "relu"):
        net = bpcore.Network(sizes, hidden=hidden, seed=1, dtype="float64")
        ax = drawn_whole(plotting.gradient_flow(net, X, SIGNS))
        delta, dW = (line.get_ydata() for line in ax.lines)
        found, (gradients, _) = net.deltas(X, SIGNS), net.gradients(X, SIGNS)
        for layer in range(6):
            mean = (found[layer] ** 2).sum() / found[layer].size
            assert delta[layer] == pytest.approx(np.sqrt(mean), rel=1e-12)
            mean = (gradients[layer] ** 2).sum() / gradients[layer].size
            assert dW[layer] == pytest.approx(np.sqrt(mean), rel=1e-12)
        falls[hidden] = delta[-1] / delta[0]
    # Each of five sigmoids multiplies by 1/4 at most, and by weights of size 1/4 sixteen times.
    assert falls["sigmoid"] > 4**5 and falls["relu"] < 30


def test_gradient_flow_marks_layers_without_any_error():
    dead = bpcore.Network([2, 3, 3, 1], hidden="relu", seed=1)
    dead.biases[0][:] = -100
    ax = drawn_whole(plotting.gradient_flow(dead, X, SIGNS))
    assert np.isnan(ax.lines[0].get_ydata()).tolist() == [True, True, False]
    zeros = [(text.get_position()[0], text.get_text()) for text in ax.texts]
    assert zeros == [(1, "0"), (2, "0"), (1, "0"), (2, "0"), (3, "0")]  # delta, then dW.


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plotting.learning_rates({1: histories([1.0, 0.5])[0]}, ax),
        lambda ax: plotting.weights(bpcore.Network([4, 1], seed=1), ax=ax),
        lambda ax: plotting.decision_boundary(two_classes(), X, SIGNS, ax, resolution=9),
        lambda ax: plotting.confusion(two_classes(), X, SIGNS, ax),
        lambda ax: plotting.gradient_flow(two_classes(), X, SIGNS, ax),
    ],
)
def test_every_picture_draws_into_given_axes_or_into_new_ones_that_pyplot_does_not_know(draw):
    import matplotlib.pyplot as plt

    given = plotting.new_figure().add_subplot()
    assert draw(given) is given
    assert draw(None).figure is not given.figure
    assert plt.get_fignums() == []


# ---- Those of the guide --------------------------------------------------------------------------


def size(png):
    """(width, height) of a PNG."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_the_pictures_of_the_guide_are_small_and_shown_beside_their_code():
    maker = load(ROOT / "docs" / "make_pictures.py")
    found = maker.pages()
    assert sum(map(len, found.values())) == 7
    for page, names in found.items():
        for name in names:
            assert f"](../images/{name})" in page.read_text("utf-8")
            png = (ROOT / "docs" / "images" / name).read_bytes()
            assert len(png) < 60_000 and size(png)[0] >= 480


@pytest.mark.long
def test_the_pictures_of_the_guide_can_be_drawn_anew(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")
    maker = load(ROOT / "docs" / "make_pictures.py")
    maker.main(tmp_path)
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(name for names in maker.pages().values() for name in names)
    for name in drawn:
        kept = size((ROOT / "docs" / "images" / name).read_bytes())
        # Fonts and layouts of another matplotlib move some pixels.
        assert size((tmp_path / name).read_bytes()) == pytest.approx(kept, rel=0.05)
