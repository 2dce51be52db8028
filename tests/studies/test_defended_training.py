"""Trainings under a defense, each beside what it is without one or in a plain loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxprivacy import types
from jaxprivacy.cards import defenses as cards
from jaxprivacy.defenses import accounting, regularisers
from jaxprivacy.models import targets
from jaxprivacy.studies import defended_training
from jaxprivacy.training import gradients, local, losses
from tests import arrays
from tests.launch import launched

KEY, COUNT, CLASSES = jax.random.key(2), 24, 3
RECIPE = defended_training.Recipe(
    epochs=6,
    batch_size=8,
    learning_rate=0.4,
    momentum=0.5,
    private_learning_rate=0.3,
    max_norm=1.0,
    delta=1e-5,
)
RNG = np.random.default_rng(0)


def batch(count, seed):
    y = (np.arange(count) % CLASSES).astype(np.int32)
    return types.Batch(arrays.normal(seed, count, 5), y, np.ones(count, np.float32))


RECORDS, VALIDATION = batch(COUNT, 1), batch(9, 2)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


@pytest.fixture(scope="module")
def model():
    return targets.build("mlp", (5,), CLASSES, widths=(7,))


def train(text, model, recipe=RECIPE):
    chosen, noise = cards.read(text), None
    if chosen.card.name == "dp_sgd":
        noise = defended_training.noise(chosen.strength, recipe, COUNT)
    found = defended_training.defended(chosen, recipe, model, VALIDATION, noise)
    return jax.jit(found.train)(KEY, RECORDS), found


def apart(tree, other):
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


@pytest.mark.parametrize(
    ("idle", "strong"),
    [
        ("weight_decay:0", "weight_decay:0.1"),
        ("dropout:0", "dropout:0.5"),
        ("label_smoothing:0", "label_smoothing:0.3"),
        ("mixup:0", "mixup:1"),
        ("early_stopping:inf", None),
    ],
)
def test_idle_it_is_the_plain_training(model, idle, strong):
    plain, _ = train("none", model)
    assert apart(train(idle, model)[0], plain) < 1e-6
    if strong:
        assert apart(train(strong, model)[0], plain) > 1e-3


def test_every_name_is_a_card_and_trains(model):
    for name in defended_training.NAMES:
        params, _ = train(name, model)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))


def test_a_temperature_divides_what_is_released_alone(model):
    plain, before = train("none", model)
    params, found = train("temperature:4", model)
    assert apart(params, plain) == 0
    x = RECORDS.x[:4]
    np.testing.assert_allclose(
        4 * found.release(params, x), before.release(plain, x), rtol=1e-6
    )


@pytest.mark.parametrize("patience", [1, 2])
def test_early_stopping_keeps_the_model_that_a_plain_loop_keeps(model, patience):
    recipe = RECIPE._replace(epochs=12, learning_rate=1.5)
    kept, _ = train(f"early_stopping:{patience}", model, recipe)
    key_init, key_run = jax.random.split(KEY)
    optimizer = optax.sgd(recipe.learning_rate, recipe.momentum)
    epoch = jax.jit(
        local.sgd(gradients.plain(model), optimizer, epochs=1, batch_size=8)
    )
    params = model.init(key_init)
    state, models, validation = optimizer.init(params), [], []
    for number in range(recipe.epochs):
        key = jax.random.fold_in(key_run, number)
        params, state, _ = epoch(key, params, state, RECORDS)
        models.append(params)
        logits = model.apply(params, VALIDATION.x)
        validation.append(float(losses.cross_entropy(logits, VALIDATION.y).mean()))
    chosen = regularisers.early_stop(validation, patience)
    assert chosen < recipe.epochs - 1, validation
    assert apart(kept, models[chosen]) < 1e-5


def test_private_steps_are_a_plain_loop_over_poisson_batches(model):
    """Without noise and with a bound that clips nothing."""
    recipe = RECIPE._replace(max_norm=1e6)
    params, _ = train("dp_sgd:inf", model, recipe)
    rate, steps = 8 / COUNT, 18
    silent = defended_training.noise(np.inf, recipe, COUNT)
    assert silent == (rate, steps, 0, None)
    key_init, key_run = jax.random.split(KEY)
    want, sizes = model.init(key_init), []

    @jax.jit
    def summed(p, mask):
        def loss(p):
            values = losses.cross_entropy(model.apply(p, RECORDS.x), RECORDS.y)
            return jnp.sum(mask * values)

        return jax.grad(loss)(p)

    for key in jax.random.split(key_run, steps):
        key_batch, _ = jax.random.split(key)
        drawn = jax.random.bernoulli(key_batch, rate, (COUNT,))
        sizes.append(int(drawn.sum()))
        total = summed(want, jnp.float32(drawn))
        want = jax.tree.map(lambda a, b: a - 0.3 * b / (rate * COUNT), want, total)
    assert len(set(sizes)) > 3
    assert apart(params, want) < 1e-5


def test_noise_is_what_the_accountant_takes():
    found = defended_training.noise(3.0, RECIPE, COUNT)
    assert 2.7 < found.claim.epsilon <= 3 and found.claim.delta == RECIPE.delta
    again = accounting.dp_sgd(found.multiplier, 8 / COUNT, 18, RECIPE.delta)
    assert again.epsilon == found.claim.epsilon
    weaker = defended_training.noise(30.0, RECIPE, COUNT)
    assert 0 < weaker.multiplier < found.multiplier


def test_a_population_is_parted():
    parts = defended_training.validation_share(np.arange(7))
    assert [part.tolist() for part in parts] == [[0, 1, 2], [3, 4, 5, 6]]
