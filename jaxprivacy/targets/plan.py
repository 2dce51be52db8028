"""Which way the norm of the gradient by each leaf is found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jax.extend import core

from jaxprivacy.targets import factors, program as program_lib


class Piece(NamedTuple):
    """A site at which a gradient is a sum of outer products."""

    site: int  # its place among the program's
    form: factors.Form
    transpose: bool = False  # so that its elements are those of the others


class Group(NamedTuple):
    """Pieces that share the same elements of a leaf: their positions are joined."""

    pieces: tuple[Piece, ...]
    elements: np.ndarray  # (G, I, O) of the leaf
    positions: int = 0  # S of all
    formed: bool = False  # whether the gradient is less work than without it


class Plan(NamedTuple):
    """How each leaf's norm is found."""

    factored: dict[int, tuple[Group, ...]]  # leaf -> groups of disjoint elements
    formed: tuple[int, ...]  # leaves whose gradients are formed, record by record
    fallback: tuple[int, ...]  # of these, those for which a loop or call runs again


def plan(program: program_lib.Program) -> Plan:
    """Chooses the way for every leaf of real numbers.

    Leaves that meet records at products, convolutions or embeddings only, as they are
    or in parts, transposed and so on, have factors. The gradients of the others are
    formed from h and delta, one record at a time.
    """
    factored, formed, fallback = {}, [], []
    for i, leaf in enumerate(program.leaves):
        if not leaf.learned:
            continue
        roots = program_lib.reached(program, i)
        groups = _groups(program, i, roots)
        if groups is not None:
            factored[i] = groups
            continue
        formed.append(i)
        if any(
            program_lib.is_call(program.sites[s])
            for s in program_lib.sites_of(program, roots)
        ):
            fallback.append(i)
    return Plan(factored, tuple(formed), tuple(fallback))


def _groups(
    program: program_lib.Program, leaf: int, roots: set[core.Var]
) -> tuple[Group, ...] | None:
    """The groups of a leaf, or None if it has no factors."""
    found = []
    for place, site in enumerate(program.sites):
        for i in site.roots:
            if site.eqn.invars[i] in roots:
                found.append((place, site.eqn.invars[i], factors.form_of(site, i)))
    if any(form is None for _, _, form in found):
        return None
    indices = np.arange(np.prod(program.leaves[leaf].shape, dtype=int), dtype=np.int32)
    indices = indices.reshape(program.leaves[leaf].shape)
    views = views_of(program, leaf, indices)
    if not all(root in views for _, root, _ in found):
        return None
    groups = []
    # Embeddings first: the others are transposed to fit them, which they cannot be.
    for place, root, form in sorted(found, key=lambda each: not each[2].rows):
        elements = form.arrange(views[root])
        _add(groups, Piece(place, form), elements)
    used = np.zeros(indices.size, bool)
    for group in groups:
        used[group.elements] = True
    disjoint = used.sum() == sum(group.elements.size for group in groups)
    return tuple(map(_counted, groups)) if disjoint else None


def _counted(group: Group) -> Group:
    positions = sum(piece.form.positions for piece in group.pieces)
    rows = any(piece.form.rows for piece in group.pieces)
    formed = factors.is_formed(rows, positions, *group.elements.shape[1:])
    return group._replace(positions=positions, formed=formed)


def _add(groups: list[Group], piece: Piece, elements: np.ndarray) -> None:
    """Adds a piece to the group of its elements, or as a group of its own."""
    for i, group in enumerate(groups):
        for transpose in (False,) if piece.form.rows else (False, True):
            seen = elements.swapaxes(1, 2) if transpose else elements
            if np.array_equal(seen, group.elements):
                pieces = (*group.pieces, piece._replace(transpose=transpose))
                groups[i] = group._replace(pieces=pieces)
                return
    groups.append(Group((piece,), elements))


def views_of(
    program: program_lib.Program, leaf: int, indices: np.ndarray
) -> dict[core.Var, np.ndarray]:
    """Which element of the leaf each element of its views is.

    Views are what reshapes, transpositions, slices and casts make of a leaf: their
    elements are different elements of it, unchanged.
    """
    views = {program.variables[leaf]: indices}
    for eqn in program.prologue:
        source = eqn.invars[0] if eqn.invars else None
        if isinstance(source, core.Literal) or source not in views:
            continue
        found = _view(eqn, views[source])
        views |= dict(zip(eqn.outvars, found, strict=True) if found else ())
    return views


def _view(eqn: core.JaxprEqn, indices: np.ndarray) -> list[np.ndarray]:
    """The elements of an equation's results; none if they are no views."""
    params, shape = eqn.params, eqn.outvars[0].aval.shape
    match eqn.primitive.name:
        case "reshape" if params["dimensions"] is None:
            return [indices.reshape(shape)]
        case "squeeze":
            return [indices.reshape(shape)]
        case "transpose":
            return [indices.transpose(params["permutation"])]
        case "convert_element_type" | "copy" | "copy_p":
            return [indices] if program_lib.is_real(eqn.outvars[0]) else []
        case "rev":
            return [np.flip(indices, params["dimensions"])]
        case "split":
            ends = np.cumsum(params["sizes"])[:-1]
            return np.split(indices, ends, params["axis"])
        case "slice":
            strides = params["strides"] or (1,) * indices.ndim
            bounds = zip(
                params["start_indices"], params["limit_indices"], strides, strict=True
            )
            return [indices[tuple(slice(*bound) for bound in bounds)]]
        case "broadcast_in_dim" if eqn.outvars[0].aval.size == indices.size:
            return [indices.reshape(shape)]
        case _:
            return []
