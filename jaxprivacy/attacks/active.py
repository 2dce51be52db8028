"""Active attacks: a server that does not only watch (paper B, section II-C)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxprivacy import types
from jaxprivacy.federated import roles
from jaxprivacy.training import losses


def ascend(
    model: types.Model, params: types.Params, targets: types.Batch, rate: float
) -> types.Params:
    """One gradient ascent step on the targets: W + gamma dL_x/dW (PAPERS row B20).

    Args:
      model: the target.
      params: its parameters W.
      targets: the records x whose membership is asked; L_x is their mean loss.
      rate: gamma.
    """

    def loss(params):
        logits = model.apply(params, targets.x)
        return losses.masked_mean(losses.cross_entropy(logits, targets.y), targets.mask)

    gradient = jax.grad(loss)(params)
    return jax.tree.map(lambda w, g: w + rate * g, params, gradient)


class AscentState(NamedTuple):
    """State of a server that ascends: the inner server's, and what it sends."""

    inner: Any
    raised: types.Params


def gradient_ascent(
    server: roles.Server, model: types.Model, targets: types.Batch, rate: float
) -> roles.Server:
    """A server that raises the loss of target records in what it sends.

    What the attacker sees: every participant's local parameters. What it does: before
    each round it moves the shared model up the gradient of the targets' loss. Training
    undoes this for the records of a participant, and only for those: the gradients of
    members fall more than those of non-members (paper B, section II-C).

    Args:
      server: the server that is turned dishonest.
      model: the target.
      targets: members and non-members alike, which the attacker cannot tell apart.
      rate: gamma of the paper, which does not state its value.
    """

    def raise_loss(state):
        return AscentState(state, ascend(model, server.params(state), targets, rate))

    def send(key, state, index):
        del (
            key,
            index,
        )  # The same for all; `server.send` decided nothing by participant.
        return state.raised

    def receive(state, indices, sent, updates):
        return raise_loss(server.receive(state.inner, indices, sent, updates))

    return roles.Server(
        init=lambda params: raise_loss(server.init(params)),
        send=send,
        receive=receive,
        params=lambda state: server.params(state.inner),
    )
