"""Rows of gradient inversion: what intervals are over, and what guessing reaches."""

import numpy as np
import pytest

from jaxprivacy.evaluation import inversion_rows
from jaxprivacy.evaluation.inversion_rows import Measured

RNG = np.random.default_rng(0)


def measured(*psnr):
    psnr = np.array(psnr, np.float64)
    return Measured(psnr, None, None, np.ones(len(psnr)))


def test_the_interval_is_over_batches():
    row = inversion_rows.row(measured([10, 30], [20, 40], [30, 50]), {}, attack="dlg")
    # Means 20, 30 and 40; t with 2 degrees of freedom is 4.303, the error 10 / 3^.5.
    assert row["psnr"]["value"] == 30
    assert row["psnr"]["low"] == pytest.approx(30 - 4.3027 * 10 / 3**0.5, abs=1e-3)
    assert (row["over"], row["records"], row["batches"]) == ("batches", 6, 3)
    assert row["found"]["value"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert row["gain"] is None


def test_of_one_batch_it_is_over_records_and_of_one_record_there_is_none():
    row = inversion_rows.row(measured([10, 30]), {}, attack="dlg")
    assert (row["over"], row["psnr"]["rows"]) == ("records", 2)
    row = inversion_rows.row(measured([10]), {}, attack="dlg")
    assert row["psnr"] == {"value": 10, "low": None, "high": None, "rows": 1}


def test_of_single_records_found_has_an_exact_interval():
    row = inversion_rows.row(measured([25], [30]), {}, attack="dlg")
    assert row["found"]["value"] == row["found"]["high"] == 1
    assert row["found"]["low"] == pytest.approx(0.025**0.5)
    assert row["right_labels"] == row["found"]


def test_the_gain_is_over_the_better_guess_and_paired():
    guesses = {
        "public_image": measured([5], [9], [13]),
        "mean_image": measured([10], [12], [14]),
    }
    made = measured([20], [22], [24])
    gain = inversion_rows.row(made, guesses, attack="dlg")["gain"]
    assert gain == {"over": "mean_image", "value": 10, "low": 10, "high": 10, "rows": 3}
    guesses["mean_image"] = measured([10], [14], [12])
    alone = inversion_rows.row(made, guesses, attack="dlg")["gain"]
    wide = inversion_rows.row(made, guesses, rows=5, attack="dlg")["gain"]
    assert wide["low"] < alone["low"] < 10 == alone["value"] == wide["value"]


def test_measures_are_of_matched_records():
    x = RNG.uniform(-1, 1, (2, 3, 8, 8, 1))
    labels = np.array([[0, 1, 2], [1, 1, 2]]), np.array([[2, 1, 0], [0, 1, 2]])
    got, matched = inversion_rows.measure(x[:, ::-1], x, -1, 1, labels)
    np.testing.assert_array_equal(matched, x)
    np.testing.assert_allclose(got.psnr, np.full((2, 3), 60))
    np.testing.assert_allclose(got.ssim, 1)
    np.testing.assert_allclose(got.right_labels, [1, 2 / 3])
    assert got.right_bits is None


def test_binary_tables_have_right_bits_and_no_ssim():
    x = RNG.integers(0, 2, (1, 2, 10)).astype(float)
    got, _ = inversion_rows.measure(1 - x[:, :1], x[:, :1], 0, 1)
    assert got.ssim is None and got.right_labels is None
    assert got.right_bits == 0
    other, _ = inversion_rows.measure(x + 0.1, x + 0.1, 0, 1)
    assert other.right_bits is None
