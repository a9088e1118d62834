"""Measurements of ended attempts."""

from __future__ import annotations

from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.metrics import METRICS, MeasuredAttempt, attempt_measurements


def attempt(platform: str, state: str, seconds: float | None = 1.5) -> MeasuredAttempt:
    return MeasuredAttempt(platform, state, 10, 3, {RequestUse.LISTING: 2, RequestUse.RETRY: 1}, seconds)


def test_counts_are_summed_by_their_tags_and_each_duration_is_kept() -> None:
    attempts = [attempt("TikTok", "succeeded"), attempt("TikTok", "succeeded", 2), attempt("YouTube", "failed")]
    measured = [
        (measurement.metric.name.removeprefix("blogger_tracking."), tuple(measurement.tags.values()), measurement.value)
        for measurement in attempt_measurements(attempts)
    ]
    assert measured == [
        ("fetches", ("TikTok", "succeeded"), 2),
        ("videos", ("TikTok",), 20),
        ("videos_new", ("TikTok",), 6),
        ("requests", ("TikTok", "listing"), 4),
        ("requests", ("TikTok", "retry"), 2),
        ("fetches", ("YouTube", "failed"), 1),
        ("videos", ("YouTube",), 10),
        ("videos_new", ("YouTube",), 3),
        ("requests", ("YouTube", "listing"), 2),
        ("requests", ("YouTube", "retry"), 1),
        ("attempt_duration", ("TikTok",), 1.5),
        ("attempt_duration", ("TikTok",), 2),
        ("attempt_duration", ("YouTube",), 1.5),
    ]


def test_a_refused_claim_counts_and_has_no_duration() -> None:
    refused = MeasuredAttempt("TikTok", "skipped", 0, 0, {}, None)
    assert [(each.metric.name, each.value) for each in attempt_measurements([refused])] == [
        ("blogger_tracking.fetches", 1)
    ]


def test_every_measurement_has_the_tags_of_its_metric_in_their_order() -> None:
    for measurement in attempt_measurements([attempt("TikTok", "succeeded")]):
        assert tuple(measurement.tags) == measurement.metric.tags


def test_every_metric_has_a_name_of_its_own() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
