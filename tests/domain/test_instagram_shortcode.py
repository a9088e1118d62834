"""Shortcodes: the media number in base 64, most significant digit first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.instagram_shortcode import ALPHABET, media_number, shortcode


@pytest.mark.parametrize(
    ("number", "code"), [(0, "A"), (1, "B"), (25, "Z"), (26, "a"), (52, "0"), (62, "-"), (63, "_"), (64, "BA")]
)
def test_the_digits_are_upper_case_lower_case_numerals_dash_underscore(number: int, code: str) -> None:
    assert shortcode(number) == code


@given(st.integers(0, 2**63))
def test_a_shortcode_decoded_from_base_64_is_the_number(number: int) -> None:
    value = 0
    for digit in shortcode(number):
        value = value * 64 + ALPHABET.index(digit)
    assert value == number


def test_a_negative_number_raises_value_error() -> None:
    with pytest.raises(ValueError, match="negative"):
        shortcode(-1)


@pytest.mark.parametrize(
    ("media_id", "number"),
    [("3401234567890123456_4400001234", 3401234567890123456), ("34", 34), ("", None), ("x34", None), ("_34", None)],
)
def test_the_number_of_a_media_id_precedes_the_number_of_its_owner(media_id: str, number: int | None) -> None:
    assert media_number(media_id) == number
