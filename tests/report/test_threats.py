from jaxprivacy.report.threats import in_order
from tests.report.made_up import image_row


def test_reconstructions_begin_with_what_they_are_compared_with():
    """Of each class and seed, however the result has them; what is unknown is last."""
    names = ("dcgan", "new", "gan", "gan_no_influence", "untrained", "other_class")
    rows = [
        image_row(name, (0.5, 0.4, 0.6), target=target, seed=seed)
        for target, seed in ((8, 1), (3, 0))
        for name in (*names, "real")
    ]
    swept = [rows[2] | {"swept": {"epsilon": value}} for value in (2.0, 1.0)]
    found = in_order([*rows, *swept])
    cells = [(row["target_class"], row["seed"], row["attack"]) for row in found]
    beside = ["real", "other_class", "untrained", "gan_no_influence"]
    last = ["dcgan", "new"]
    assert cells == [
        *((8, 1, name) for name in [*beside, "gan", "gan", "gan", *last]),
        *((3, 0, name) for name in [*beside, "gan", *last]),
    ]
    assert [row["swept"]["epsilon"] for row in found if "swept" in row] == [2.0, 1.0]
