import numpy as np
import pytest

from jaxprivacy.report import plots_images
from tests.report import made_up


def test_one_row_of_images_by_hand():
    images = np.array([[[[-1.0]], [[1.0]]], [[[0.0]], [[np.nan]]], [[[9.0]], [[-9.0]]]])
    strip = plots_images._strip(images, columns=4)
    # Pixel, gap, pixel, gap, pixel, gap, and white where there is no image.
    np.testing.assert_array_equal(
        strip[..., 0], [[0, 1, 0.5, 1, 1, 1, 1], [1, 1, 0.5, 1, 0, 1, 1]]
    )
    assert strip.shape == (2, 7, 3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("attacks", [("gan", "untrained"), ("model_inversion",)])
def test_rows_of_images_are_labelled(channels, attacks):
    images = made_up.reconstructions(channels, attacks)
    labels = [
        axes.texts[0].get_text()
        for axes in plots_images.reconstruction_figure(images).axes
    ]
    expected = ["Victim's images"]
    if "gan" in attacks:
        expected += ["GAN", "Private image\nclosest to the GAN\nsample (L1)"]
        expected += ["Untrained\ngenerator"]
    else:
        expected += ["Model inversion"]
    assert labels == expected
    rounds = [
        axes.texts[0].get_text() for axes in plots_images.rounds_figure(images).axes
    ]
    assert rounds[0] == "round 5\naccuracy 20 %" and len(rounds) == 3


def test_the_attack_with_a_closest_image_is_the_one_named():
    images = made_up.reconstructions(attacks=("untrained", "gan_no_influence"))
    figure = plots_images.reconstruction_figure(
        images._replace(attack="gan_no_influence")
    )
    labels = [" ".join(axes.texts[0].get_text().split()) for axes in figure.axes]
    assert labels == [
        "Victim's images",
        "GAN without influence",
        "Private image closest to the GAN without influence sample (L1)",
        "Untrained generator",
    ]


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def images_across(figure):
    """Where the axes of the first row stand."""
    return figure.axes[0].get_subplotspec().get_gridspec().ncols


def test_each_class_has_its_real_images_above_its_samples():
    classes = made_up.class_samples(classes=2, samples=3, size=(28, 20))
    figure = plots_images.class_samples_figure(classes)
    assert titles(figure) == ["class 0", "class 1"]
    labels = [label.get_text() for label in figure.axes[1].texts]
    assert labels == ["real", "samples"]
    heights = [label.get_position()[1] for label in figure.axes[1].texts]
    assert heights[0] > heights[1]
    shown = figure.axes[1].images[0].get_array()
    # Two rows of 28 and 2 between them; three images of 20 and gaps of 1.
    assert shown.shape == (58, 62, 3)
    real, samples = classes[1].real, classes[1].samples
    np.testing.assert_allclose(shown[:28, 21:41, 0], (real[1, ..., 0] + 1) / 2)
    np.testing.assert_allclose(shown[30:, 21:41, 0], (samples[1, ..., 0] + 1) / 2)
    assert (shown[28:30] == 1).all()


@pytest.mark.parametrize(
    "classes, size, across, columns",
    [(3, 28, 1, 10), (10, 28, 2, 10), (10, 64, 1, 10), (11, 64, 2, 5)],
)
def test_many_classes_share_a_line_and_large_images_keep_their_size(
    classes, size, across, columns
):
    samples = made_up.class_samples(classes, samples=12, size=(size, size), channels=3)
    figure = plots_images.class_samples_figure(samples)
    assert images_across(figure) == across
    gap = size // 14
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape[1] == columns * (size + gap) - gap
    inches = (7 / across - 0.75) / columns
    assert inches >= (0.5 if size == 64 else 0.25)
    assert [title for title in titles(figure) if title][-1] == f"class {classes - 1}"


def test_fewer_samples_than_real_images():
    real = made_up.class_samples(1, samples=4)[0]
    figure = plots_images.class_samples_figure(
        [real._replace(title="costs $1 or $2", samples=real.samples[:2])]
    )
    assert (figure.axes[0].images[0].get_array()[-1, -1] == 1).all()
    assert titles(figure)[0].count("\\$") == 2  # No mathematics.
