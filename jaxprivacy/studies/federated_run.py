"""Federated training as the server of an audit sees it."""

from __future__ import annotations

import jax
import numpy as np

from jaxprivacy.attacks import active
from jaxprivacy.data import Dataset, Split
from jaxprivacy.federated import roles, simulate, transcript as transcript_lib
from jaxprivacy.programs import chunks, compilation
from jaxprivacy.studies import (
    attack_training,
    defended_federation,
    membership,
    membership_records,
    settings as settings_lib,
    training,
)
from jaxprivacy.training import losses

Advance = attack_training.Advance
UNDEFENDED = defended_federation.undefended()


def observed_rounds(settings: settings_lib.Settings) -> list[int]:
    """The T rounds after which the server looks, evenly spaced up to the last."""
    count = settings.observed_rounds
    return [round((i + 1) * settings.rounds / count) - 1 for i in range(count)]


def play(
    settings: settings_lib.Settings,
    dataset: Dataset,
    split: Split,
    records: membership_records.Records,
    key: jax.Array,
    advance: Advance,
    *,
    ascent: bool,
    all_uploads: bool = False,
    inside: bool = True,
    defended: defended_federation.Defended = UNDEFENDED,
) -> membership.Run:
    """Trains by FedAvg, honestly or under gradient ascent; computes the features.

    With `all_uploads` the server keeps what every participant uploads, not the victim's
    parameters alone; under a defense it keeps what it learns of it. Without `inside`
    there are no hidden outputs and gradients among the features, which take memory.
    """
    model = training.target_model(settings, dataset, dataset.num_classes)
    data = training.stack(dataset, split.participants)
    key_params, key_run = jax.random.split(key)
    honest = training.participant(settings, model)
    seats = defended.defend(jax.random.fold_in(key_run, 2), honest, honest)
    server = seats.server
    if ascent:
        server = active.gradient_ascent(
            server, model, records.batch, settings.ascent_rate
        )
    simulation = simulate.simulate(
        server,
        [simulate.Group(seats.honest, data)],
        observed_participant=simulate.EVERYONE if all_uploads else split.victim,
        observed_rounds=observed_rounds(settings),
        observe=seats.seen if all_uploads else roles.add,
        measure=_measure(model, dataset, np.concatenate(split.participants)),
    )
    # The same initial model and order of records in both modes: the server differs.
    params = compilation.initial(model.init, key_params)
    state, info = chunks.run_rounds(
        chunks.runner(lambda swept: simulation),
        (),
        tuple(jax.random.split(key_run)),
        params,
        settings.rounds,
        advance,
    )
    snapshots, transcript = state.snapshots, None
    if all_uploads:
        transcript = _transcript(settings, *snapshots)
        snapshots = _local(transcript, split.victim)
    features = membership.observed(settings, dataset, snapshots, records.batch, inside)
    flag = "ascent_rate" if ascent else "learning_rate"
    shown = features.loss, features.output, features.norm
    training.check_finite(shown, **{flag: getattr(settings, flag)})
    return membership.Run(features, info, transcript)


def _measure(model, dataset, held):
    """What is logged of the shared model: on what participants hold, and on others."""
    train = training.batch(dataset, held)
    test = training.batch(dataset, dataset.without(held))
    return lambda params: {
        "train_accuracy": losses.accuracy(model, params, train),
        "test_accuracy": losses.accuracy(model, params, test),
    }


def _local(transcript, victim):
    """The victim's parameters (T, ...) as the server can tell them from its uploads."""

    def own(uploads):
        # Where only the sum is seen, it stands for the victim's as well.
        return uploads[:, min(victim, uploads.shape[1] - 1)]

    return roles.add(transcript.parameters, jax.tree.map(own, transcript.uploads))


def _transcript(settings, received, uploads):
    """All that the server saw at the observed rounds."""
    rounds = np.array(observed_rounds(settings)) + 1
    return transcript_lib.Transcript(rounds, received, uploads, transcript_lib.SERVER)
