"""The forms of an image: by hand, and each of them once."""

import numpy as np

from jaxprivacy.data import shifts

GREY = np.arange(9.0).reshape(1, 3, 3, 1)


def test_forms_by_hand():
    same, left, right, up, down, corner, *others = (
        form[0, :, :, 0].tolist() for form in shifts.forms(GREY, 9)
    )
    assert same == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert left == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]
    assert right == [[0, 0, 1], [3, 3, 4], [6, 6, 7]]
    assert up == [[3, 4, 5], [6, 7, 8], [6, 7, 8]]
    assert down == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert corner == [[4, 5, 5], [7, 8, 8], [7, 8, 8]]
    assert len(others) == 3


def test_colour_is_mirrored_and_grey_is_not():
    rng = np.random.default_rng(0)
    colour = rng.normal(size=(2, 4, 5, 3))
    first, mirrored, shifted = shifts.forms(colour, 3)
    np.testing.assert_array_equal(first, colour)
    np.testing.assert_array_equal(mirrored, colour[:, :, ::-1])
    np.testing.assert_array_equal(shifted[:, :, :-1], colour[:, :, 1:])
    for image in (GREY, colour):
        every = [form.tobytes() for form in shifts.forms(image, 99)]
        assert len(set(every)) == len(every) == shifts.most(image.shape[1:])
    assert [shifts.most(image.shape[1:]) for image in (GREY, colour)] == [9, 18]
