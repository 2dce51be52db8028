"""How much noise an epsilon takes."""

import pytest

from jaxprivacy import errors
from jaxprivacy.defenses import accounting


@pytest.mark.parametrize("epsilon", [0.5, 15.0])
def test_the_least_noise_that_guarantees_an_epsilon(epsilon):
    found = accounting.noise(epsilon, 0.5, 4, 1e-5)
    assert 0.97 * epsilon < accounting.dp_sgd(found, 0.5, 4, 1e-5).epsilon <= epsilon


@pytest.mark.parametrize("epsilon", [1e-6, 1e6])
def test_an_epsilon_that_no_noise_searched_has(epsilon):
    with pytest.raises(errors.InputError, match="noise multipliers of 0.2 to 1000"):
        accounting.noise(epsilon, 0.5, 4, 1e-5)
