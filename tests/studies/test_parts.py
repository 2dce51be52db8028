"""Settings composed of parts: what a field carries, and what a study changes of it."""

import dataclasses

import pytest

from jaxprivacy import checks, errors
from jaxprivacy.commands.flag_help import STUDIES
from jaxprivacy.studies import parts


@dataclasses.dataclass(frozen=True)
class Study(parts.Seed, parts.Training, parts.Data):
    rounds: int = parts.changed(parts.Training, "rounds", default=7)
    names: tuple[str, ...] = parts.setting(
        ("a",), "Names.", "attacks", checks.several_of(("a", "b"))
    )


def test_a_study_has_the_fields_of_its_parts_in_the_order_of_the_parts():
    names = [field.name for field in dataclasses.fields(Study)]
    own = [list(part.__dataclass_fields__) for part in (parts.Data, parts.Training)]
    assert names == [*own[0], *own[1], "seed", "names"]


def test_what_a_study_changes_leaves_the_rest_of_a_field_and_the_part_as_they_are():
    assert (Study().rounds, parts.Training().rounds) == (7, 40)
    mine, of_part = (
        kind.__dataclass_fields__["rounds"] for kind in (Study, parts.Training)
    )
    assert mine.metadata == of_part.metadata
    told = dataclasses.make_dataclass(
        "Told",
        [("rounds", int, parts.changed(parts.Training, "rounds", told="Other."))],
    )
    field = told.__dataclass_fields__["rounds"]
    assert (field.default, field.metadata["help"]) == (40, "Other.")
    assert field.metadata["check"] is of_part.metadata["check"]


@pytest.mark.parametrize("study", STUDIES)
def test_every_setting_says_what_it_is_in_a_group(study):
    for field in dataclasses.fields(study):
        assert field.metadata["help"].endswith("."), field.name
        assert field.metadata["group"] in parts.GROUPS, field.name


@pytest.mark.parametrize("study", STUDIES)
def test_numbers_and_choices_have_a_check(study):
    for field in dataclasses.fields(study):
        if "int" in field.type or "float" in field.type:
            related = field.name == "max_norm"  # Infinity goes without noise alone.
            assert field.metadata["check"] or related, field.name


REFUSED = [
    ({"rounds": 0}, ("rounds", 0, "integers of at least 1")),
    ({"records": 0}, ("records", 0, "integers of at least 1")),
    ({"names": ()}, ("names", "", "one or several different of a, b")),
    ({"names": ("a", "a")}, ("names", "a,a", "one or several different of a, b")),
    ({"names": ("a", "c")}, ("names", "c", "a, b")),
    ({"seed": 2**32}, ("seed", 2**32, f"0 to {2**32 - 1}")),
    # The first in the order of the fields is told.
    ({"seed": -1, "batch_size": -1}, ("batch_size", -1, "integers of at least 1")),
]


@pytest.mark.parametrize(("changes", "parts_of_error"), REFUSED)
def test_each_field_is_checked_by_itself(changes, parts_of_error):
    parts.check(Study())
    with pytest.raises(errors.InputError) as caught:
        parts.check(Study(**changes))
    error = caught.value
    assert (error.argument, error.value, error.accepted) == parts_of_error


@pytest.mark.parametrize(
    ("check", "good", "bad", "accepted"),
    [
        (checks.integers(2, 3), (2, 3), (1, 4, 2.5, True), "at"),
        (checks.each(checks.positive), ((), (1, 2)), ((1, 0),), "finite numbers"),
        (checks.each(checks.positive, least=1), ((1,),), ((), (-1,)), ""),
        (checks.that(bool, "are true"), (1, "x"), (0, ""), "true"),
        (checks.all_of(checks.positive, checks.fraction), (0.5, 1), (2, 0), "f"),
    ],
)
def test_checks_made_of_conditions(check, good, bad, accepted):
    for value in good:
        check("name", value)
    for value in bad:
        with pytest.raises(errors.InputError, match="^name=") as error:
            check("name", value)
        assert accepted in error.value.accepted
