"""Values that settings do not accept."""

from __future__ import annotations

import pytest

from blogger_tracking.settings import invalid_settings


def test_no_airflow_has_the_name_of_the_imported_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_DEPLOYMENT", "imported")
    reason = "Value error, the name imported is that of the runs of imported statistics, choose another one"
    assert invalid_settings() == {"BLOGGER_TRACKING_DEPLOYMENT": reason}
    monkeypatch.setenv("BLOGGER_TRACKING_DEPLOYMENT", "production")
    assert invalid_settings() == {}
