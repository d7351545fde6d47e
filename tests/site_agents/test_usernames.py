"""Names of accounts by policy, and the series of their numbers (spec people 0.4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waldur_dagster.site_agents.usernames import PREFIX, Person, Series, prefix_of, username

ADA = Person("ada@home", "Ada", "Lovelace", "ada_ipa", "a.lovelace")


def next_name(policy: str, names: list[str], person: Person = ADA, **options: Any) -> str:
    prefix, series = prefix_of(policy, options), Series()
    for name in names:
        series.note(name, prefix)
    return username(policy, prefix, person, series)


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        (" Jean-Luc ", "O'Neil de la Cruz", "jeanluc_oneil_de_la_cruz_00"),
        ("Jürgen", "Strauß", "jurgen_strau_00"),
        ("Łukasz", "Žižek", "ukasz_zizek_00"),
        ("Анна", "Иванова", "__00"),
        ("Ada_Lee", "X", "ada_lee_x_00"),
        ("Ada \t Maria", "Dr.  No", "ada_maria_dr_no_00"),
        ("", "", "__00"),
    ],
)
def test_full_names_become_lower_case_ascii(first: str, last: str, wanted: str) -> None:
    assert next_name("full_name", [], Person("u", first, last)) == wanted


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ([], "john_doe_00"),
        (["john_doerr_00", "john_doe_01"], "john_doe_02"),
        (["john_doe", "john_doe_x1", "xjohn_doe_07", "john_doe_1_05", ""], "john_doe_00"),
        (["john_doe_99", "john_doe_100"], "john_doe_101"),
        (["JOHN_Doe_04"], "john_doe_05"),
        (["john_doe_٣"], "john_doe_00"),
        (["john_doe_00", "john_doe_07"], "john_doe_08"),
    ],
)
def test_a_series_is_exactly_the_base_and_digits_in_any_case(names: list[str], wanted: str) -> None:
    assert next_name("full_name", names, Person("u", "John", "Doe")) == wanted


@pytest.mark.parametrize(
    ("names", "options", "wanted"),
    [
        ([], {}, "walduruser_00000"),
        (["walduruser_00002", "WALDURUSER_00004", "walduruser_admin"], {}, "walduruser_00005"),
        (["walduruser_99999"], {}, "walduruser_100000"),
        (["hpc100007", "hpc1_x"], {"username_anonymized_prefix": "hpc1"}, "hpc100008"),
        (["00004"], {"username_anonymized_prefix": ""}, "00005"),
        ([], {"username_anonymized_prefix": None}, f"{PREFIX}00000"),
    ],
)
def test_anonymized_names_are_the_offering_s_prefix_and_a_number(
    names: list[str], options: dict[str, Any], wanted: str
) -> None:
    assert next_name("anonymized", names, **options) == wanted


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("waldur_username", "ada@home"),
        ("freeipa", "ada_ipa"),
        ("identity_claim", "a.lovelace"),
        ("telepathy", ""),
        ("service_provider", ""),
    ],
)
def test_other_policies_take_a_name_that_is_there_or_none(policy: str, wanted: str) -> None:
    assert next_name(policy, []) == wanted


def test_who_has_no_profile_and_no_claim_has_no_name() -> None:
    assert [next_name(policy, [], Person("u", "A", "B")) for policy in ("freeipa", "identity_claim")] == ["", ""]


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=20))
def test_nobody_gets_a_name_twice_whatever_people_are_called(people: list[tuple[str, str]]) -> None:
    series = Series()
    made = [username("full_name", None, Person("u", *names), series) for names in people]
    assert len(set(made)) == len(made)
    assert all(name.isascii() and name == name.lower() for name in made)
