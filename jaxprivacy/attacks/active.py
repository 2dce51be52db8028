"""Active attacks: a server or participant that does not only watch.

Paper B, section II-C; PAPERS rows B20 to B22. Isolating gradient ascent is
`isolate(server, victim, gradient_ascent(averaging_server(), ...))`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy import types
from jaxprivacy.federated import roles
from jaxprivacy.training import losses

AT_ONCE = 1024  # targets whose loss is raised together; bounds the memory


def ascend(
    model: types.Model,
    params: types.Params,
    targets: types.Batch,
    rate: float | jax.Array,
) -> types.Params:
    """One gradient ascent step on the targets: W + gamma dL_x/dW (PAPERS row B20).

    One step on all targets together: the paper ascends on a batch of target records.

    Args:
      model: the target.
      params: its parameters W.
      targets: the records x whose membership is asked; L_x is their mean loss.
      rate: gamma, of which the paper does not state a value.
    """
    return roles.add(params, _climb(model, params, targets, rate))


def _climb(model, params, targets, rate):
    """The step of `ascend`: gamma dL_x/dW, summed up over parts of the targets.

    So that its memory does not grow with how many targets there are.
    """

    def loss(params, part):
        values = losses.cross_entropy(model.apply(params, part.x), part.y)
        return jnp.sum(values * part.mask)

    def parts(a):
        rest = -len(a) % size
        padded = jnp.pad(a, [(0, rest)] + [(0, 0)] * (a.ndim - 1))
        return padded.reshape(-1, size, *a.shape[1:])

    size = min(AT_ONCE, len(targets.y))
    gradient, _ = lax.scan(
        lambda total, part: (roles.add(total, jax.grad(loss)(params, part)), None),
        jax.tree.map(jnp.zeros_like, params),
        jax.tree.map(parts, targets),
    )
    count = jnp.maximum(targets.mask.sum(), 1)
    return jax.tree.map(lambda g: rate / count * g, gradient)


def gradient_ascent(
    server: roles.Server,
    model: types.Model,
    targets: types.Batch,
    rate: float | jax.Array,
) -> roles.Server:
    """A server that raises the loss of target records in what it sends.

    What the attacker sees: every participant's local parameters. What it does: moves
    what it sends up the gradient of the targets' loss. Training undoes this for the
    records of a participant, and only for those: the gradients of members fall more
    than those of non-members (paper B, section II-C).

    Where the inner server sends the same to all, the ascent is computed once a round in
    parallel order, however many participants there are.

    Args:
      server: the server that is turned dishonest; it sends all parameters.
      model: the target.
      targets: members and non-members alike, which the attacker cannot tell apart.
      rate: gamma; 0 is the inner server.
    """

    def send(key, state, index):
        return ascend(model, server.send(key, state, index), targets, rate)

    return server._replace(send=send)


def gradient_ascent_participant(
    participant: roles.Participant,
    model: types.Model,
    targets: types.Batch,
    rate: float | jax.Array,
) -> roles.Participant:
    """A participant that raises the loss of target records in what it uploads.

    What the attacker sees: the shared parameters that it is sent. What it does, each
    round: trains on its own records as the role it pretends to play, then moves its
    local parameters up the gradient of the targets' loss and uploads these. The other
    participants' training undoes it for their members (paper B, section II-C; PAPERS
    row B20, local attacker).

    Args:
      participant: the honest role; it receives and uploads all parameters. Where only
        some are exchanged, this is what is wrapped by the role that chooses them.
      model: the target.
      targets: members and non-members alike, which the attacker cannot tell apart.
      rate: gamma; 0 is the inner participant.
    """

    def step(key, state, received, data):
        state, update, info = participant.step(key, state, received, data)
        local = roles.add(received, update)
        # Added to the update, so that at rate 0 it is the honest one to the bit.
        return state, roles.add(update, _climb(model, local, targets, rate)), info

    return participant._replace(step=step)


def _where(flag, new, old):
    """Chooses a tree by a flag (), or its first axis's elements by flags (Q,)."""

    def choose(a, b):
        return jnp.where(flag.reshape(flag.shape + (1,) * (a.ndim - flag.ndim)), a, b)

    return jax.tree.map(choose, new, old)


class IsolatedState(NamedTuple):
    """State of a server that isolates: the victim's own server beside the others'."""

    others: Any
    alone: Any


def isolate(
    server: roles.Server, victim: int | jax.Array, alone: roles.Server
) -> roles.Server:
    """A server that never sends the aggregate to the victim (PAPERS row B21).

    What the attacker sees: every participant's local parameters. What it does: serves
    the victim by a server of its own, which receives the victim's updates and no
    others, so that the victim trains alone and no other participant's training blurs
    what its parameters say of its records. With a server that ascends as `alone` this
    is isolating gradient ascent (row B22).

    The others never receive anything of the victim: towards `server` it counts as a
    participant that was sent the shared model and whose update is zero, so that an
    averaging server goes the slower, the fewer the others are. The shared model,
    `params`, is the others'.

    Works in every order of rounds, as long as the victim takes part at most once in a
    call of `receive`.

    Args:
      server: of the other participants; it sends and receives all parameters.
      victim: number of the participant that is isolated.
      alone: of the victim.
    """

    def init(params):
        return IsolatedState(server.init(params), alone.init(params))

    def send(key, state, index):
        isolated = alone.send(key, state.alone, index)
        shared = server.send(key, state.others, index)
        return _where(index == victim, isolated, shared)

    def receive(state, indices, sent, updates):
        is_victim = indices == victim
        # Not what the victim was sent: that is made of what it uploaded before.
        shared = jax.tree.map(
            lambda a, w: jnp.broadcast_to(w, a.shape), sent, server.params(state.others)
        )
        silent = shared, jax.tree.map(jnp.zeros_like, updates)
        heard = _where(is_victim, silent, (sent, updates))
        others = server.receive(state.others, indices, *heard)
        own = jax.tree.map(
            lambda a: lax.dynamic_slice_in_dim(a, jnp.argmax(is_victim), 1),
            (indices, sent, updates),
        )
        trained = alone.receive(state.alone, *own)
        return IsolatedState(others, _where(is_victim.any(), trained, state.alone))

    return roles.Server(init, send, receive, lambda state: server.params(state.others))
