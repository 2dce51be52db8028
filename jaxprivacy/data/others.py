"""Other participants' records, as non-members of the victim."""

from __future__ import annotations

import numpy as np

from jaxprivacy.data import copies, sources, splits


def of_others(
    dataset: sources.Dataset, split: splits.Split, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Records that others than the victim hold, for selection and for evaluation.

    Of each other participant as many as the set has members, class for class, or what
    it has; so nobody's records are to others' as 1 to P - 1, as in FedMIA (CVPR 2025,
    section 5). Records with exact copies are not among them, unless the split keeps
    copies.

    Args:
      dataset: the data.
      split: who holds what.
      seed: of the draw.

    Returns:
      Indices for the two sets, disjoint.
    """
    rng = np.random.default_rng([seed, *b"others"])
    copied = copies.have_copies(dataset.x) & (not split.copies_kept)
    sets = split.selection.members, split.evaluation.members
    wanted = [
        np.bincount(dataset.y[members], minlength=dataset.num_classes)
        for members in sets
    ]
    found = [[], []]
    for number, held in enumerate(split.participants):
        if number == split.victim:
            continue
        alone = rng.permutation(held[~copied[held]])
        for label in range(dataset.num_classes):
            of_class = alone[dataset.y[alone] == label]
            first, second = wanted[0][label], wanted[1][label]
            found[0].append(of_class[:first])
            found[1].append(of_class[first : first + second])
    return tuple(np.concatenate([np.zeros(0, int), *parts]) for parts in found)
