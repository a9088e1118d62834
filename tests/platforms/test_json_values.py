"""Tolerant readers of JSON values: counts, ids, dates, texts, URLs and flags."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.models import MAX_COUNT
from blogger_tracking.platforms.json_values import (
    Json,
    as_count,
    as_cursor,
    as_datetime,
    as_flag,
    as_id,
    as_name,
    as_text,
    as_url,
    first_of,
    get_path,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        ("0", 0),
        (1234, 1234),
        ("1234", 1234),
        (12.0, 12),
        (MAX_COUNT, MAX_COUNT),
        (str(MAX_COUNT), MAX_COUNT),
        (MAX_COUNT + 1, None),
        (-1, None),
        ("-2147483648", None),
        ("99999999999999999999", None),
        ("1.2K", None),
        (1.5, None),
        (True, None),
        (None, None),
        ("", None),
        ({}, None),
    ],
)
def test_a_negative_or_huge_count_or_one_that_is_not_a_number_is_unknown(value: Json, count: int | None) -> None:
    assert as_count(value) == count


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("7301234567890123456", "7301234567890123456"),
        (7301234567890123456, "7301234567890123456"),
        (" abc ", "abc"),
        (7.3e18, None),
        (True, None),
        ("", None),
        (None, None),
        (-5, None),
        ("9" * 500, "9" * 500),
        ("9" * 501, None),
        (10**500, None),
    ],
)
def test_an_id_is_text_with_all_its_digits_or_unknown(value: Json, text: str | None) -> None:
    assert as_id(value) == text


@pytest.mark.parametrize(("value", "text"), [(" mira ", "mira"), ("m" * 501, None), (5, None), ("", None)])
def test_a_username_is_a_text_of_at_most_500_characters(value: Json, text: str | None) -> None:
    assert as_name(value) == text


def test_a_cursor_may_be_longer_than_an_id() -> None:
    assert as_cursor("c" * 5_000) == "c" * 5_000
    assert as_cursor(7301234567890123456) == "7301234567890123456"


@pytest.mark.parametrize(
    "value",
    [
        1773144000,
        "1773144000",
        1773144000.0,
        1773144000000,
        "1773144000000",
        1773144000000000,
        "1773144000000000",
        "2026-03-10T12:00:00Z",
        "2026-03-10T12:00:00.000Z",
        "2026-03-10T12:00:00",
        "2026-03-10T14:00:00+02:00",
    ],
)
def test_a_date_in_any_format_is_the_same_time_in_utc(value: Json) -> None:
    moment = as_datetime(value)
    assert moment == datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize("value", [0, -1, None, "", "soon", True, [], 10**30, "0001-01-01T00:00:00+23:00"])
def test_an_invalid_date_is_unknown(value: Json) -> None:
    assert as_datetime(value) is None


def test_a_text_has_only_characters_that_postgres_stores() -> None:
    assert as_text("a\x00b\ud800c") == "ab?c"


@pytest.mark.parametrize("value", [True, 1, "1", "true"])
def test_a_flag_is_true_in_any_format(value: Json) -> None:
    assert as_flag(value)


@pytest.mark.parametrize("value", [False, 0, "0", "false", None, "", [], {}, 2])
def test_any_other_value_is_a_false_flag(value: Json) -> None:
    assert not as_flag(value)


@pytest.mark.parametrize("value", ["", "//host/thumbnail.jpg", "javascript:alert(1)", None, 5])
def test_only_http_and_https_urls_are_urls(value: Json) -> None:
    assert as_url(value) is None


def test_a_missing_step_of_a_path_gives_none() -> None:
    assert get_path({"a": [{"b": 1}]}, "a", 0, "b") == 1
    assert get_path({"a": [{"b": 1}]}, "a", 1, "b") is None
    assert get_path({"a": "text"}, "a", "b") is None
    assert get_path([], "a") is None


def test_the_first_value_is_taken_even_if_it_is_zero_or_false() -> None:
    assert first_of({"a": None, "b": "", "c": 0, "d": 1}, ("a", "b", "c", "d")) == 0
    assert first_of({"a": False, "b": True}, ("a", "b")) is False


@given(JSON)
def test_no_value_makes_a_reader_raise(value: Json) -> None:
    count, moment = as_count(value), as_datetime(value)
    assert count is None or 0 <= count <= MAX_COUNT
    assert moment is None or moment.tzinfo is UTC
    as_text(value).encode()
    as_id(value)
    as_name(value)
    as_cursor(value)
    as_flag(value)
    as_url(value)
    first_of(value, ("a", "b"))
