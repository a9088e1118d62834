"""The operator that fetches bloggers: in a worker, or straight in the triggerer.

DAG files import it: what only a running task needs is imported when it runs.
"""

from __future__ import annotations

from typing import Any

from airflow.configuration import conf
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from airflow.triggers.base import StartTriggerArgs


class FetchBloggersOperator(BaseOperator):
    """Fetches the bloggers that the ledger assigned to this task instance, and saves what came.

    Which bloggers is looked up by run, task and map index; `instance_label` only says it to people. With `[operators]
    default_deferrable` the instance starts straight in the triggerer and never sees a worker. The XCom is a summary
    of counts. Fails when any of its bloggers failed; what the others got is saved.
    """

    template_fields = ()
    ui_color = "#d9f0e3"
    start_trigger_args = StartTriggerArgs(
        trigger_cls="blogger_tracking.orchestration.fetch_trigger.FetchBloggersTrigger",
        trigger_kwargs={},
        next_method="execute",
    )
    start_from_trigger = conf.getboolean("operators", "default_deferrable", fallback=False)

    def __init__(self, *, instance_label: str = "", **kwargs: Any) -> None:  # noqa: ANN401 - BaseOperator's own arguments
        super().__init__(**kwargs)
        self.instance_label = instance_label

    def execute(self, context: Context) -> dict[str, Any]:
        """Fetch in this worker, several bloggers at once.

        Raises AirflowException when any failed, AirflowSkipException when none was allowed to start.
        """
        from concurrent.futures import ThreadPoolExecutor

        from blogger_tracking.orchestration.connections import fetch_services
        from blogger_tracking.orchestration.run_keys import run_key
        from blogger_tracking.settings import get_settings
        from blogger_tracking.usecases.fetch_instance import all_skipped, submit_fetches, summarize

        instance = context["ti"]
        with ThreadPoolExecutor(get_settings().threads_per_instance) as executor:
            started = submit_fetches(
                executor, fetch_services(), run_key(instance), instance.task_id, instance.map_index or 0
            )
            reports = [future.result() for future in started]
        failed = [f"@{report.username}: {report.reason}" for report in reports if report.failed]
        if failed:
            raise AirflowException(f"{len(failed)} of {len(reports)} bloggers failed: {'; '.join(failed[:5])}")
        if all_skipped(reports):
            raise AirflowSkipException(f"Nothing was fetched: {reports[0].reason}")
        return summarize(reports)
