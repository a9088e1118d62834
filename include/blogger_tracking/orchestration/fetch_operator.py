"""Operator that fetches the bloggers of one task instance.

DAG files import this module, and Airflow parses DAG files repeatedly, also in workers: modules that only a running
task needs are imported inside functions.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from blogger_tracking.orchestration.airflow_3_3.start_from_trigger import FETCH_TRIGGER, starts_in_triggerer
from blogger_tracking.orchestration.error_reporting import errors_reported

REASONS_SHOWN = 5
"""Maximum number of failed bloggers that the exception of an instance names; the log names all."""


class FetchBloggersOperator(BaseOperator):
    """Operator that fetches and saves the videos of the bloggers that the ledger assigned to its task instance.

    The operator queries the ledger by DAG run, task id and map index. The instance fails if any of its bloggers failed;
    the videos of the other bloggers are saved. The instance's XCom is a summary of counts.

    :param instance_label: label of the instance in Airflow's UI; the operator itself does not use the label.
    :param deferrable: fetch in the triggerer; by default `[operators] default_deferrable`.
    :param start_from_trigger: start in the triggerer, without a worker; by default as `deferrable`. Airflow decides
        about a *mapped* task before the operator exists: give `partial()` both arguments, or neither.
    """

    template_fields = ()
    ui_color = "#d9f0e3"
    start_trigger_args = FETCH_TRIGGER
    start_from_trigger = starts_in_triggerer()

    def __init__(
        self,
        *,
        instance_label: str = "",
        deferrable: bool = starts_in_triggerer(),
        start_from_trigger: bool | None = None,
        **kwargs: Any,  # noqa: ANN401 - BaseOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        self.instance_label = instance_label
        self.start_from_trigger = deferrable if start_from_trigger is None else start_from_trigger

    @errors_reported()
    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch in this worker, several bloggers at once, and return the summary.

        Raises AirflowException if any blogger failed, AirflowSkipException if no fetch was allowed to begin.
        """
        return self._fetch(context)

    def _fetch(self, context: Context) -> dict[str, Any]:
        from concurrent.futures import ThreadPoolExecutor, wait

        from blogger_tracking.orchestration.airflow_3_3.metrics import emit
        from blogger_tracking.orchestration.connected_services import fetch_services
        from blogger_tracking.orchestration.run_keys import instance_try
        from blogger_tracking.settings import get_settings
        from blogger_tracking.usecases.fetch_instance import (
            all_skipped,
            collect_reports,
            finished_reports,
            measure,
            submit_fetches,
            summarize,
        )

        instance = context["ti"]
        # Clearing an instance raises max_tries by the tries so far; a retry leaves it as it is.
        is_retry = instance.try_number > instance.max_tries - (self.retries or 0) + 1
        with ThreadPoolExecutor(get_settings().threads_per_instance) as executor:
            fetches = submit_fetches(executor, fetch_services(), instance_try(instance, is_retry=is_retry))
            wait(fetches)
        # The error of one fetch ends the instance: the attempts of the others count nevertheless.
        emit(measure(finished_reports(fetches)))
        reports = collect_reports(fetches)
        failed = [f"@{report.username}: {report.reason}" for report in reports if report.failed]
        if failed:
            raise AirflowException(
                f"{len(failed)} of {len(reports)} bloggers failed: {'; '.join(failed[:REASONS_SHOWN])}. The videos of "
                "the other bloggers are saved. Airflow retries the failed bloggers; after the last retry, clear this "
                "instance."
            )
        if all_skipped(reports):
            raise AirflowSkipException(f"Nothing was fetched: {reports[0].reason}")
        return summarize(reports)
