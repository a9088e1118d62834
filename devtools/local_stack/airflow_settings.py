"""Every Airflow setting of the local stack that differs from Airflow's default, with its reason.

None of them is forced: where the environment has a value of its own, that one is used.
"""

from __future__ import annotations

from typing import NamedTuple


class AirflowSetting(NamedTuple):
    """One option of Airflow's configuration."""

    section: str
    option: str
    value: str
    reason: str

    @property
    def variable(self) -> str:
        """The environment variable Airflow reads it from."""
        return f"AIRFLOW__{self.section.upper()}__{self.option.upper()}"


TUNED_SETTINGS = (
    AirflowSetting("core", "load_examples", "False", "The project's DAGs are what there is to see."),
    AirflowSetting("operators", "default_deferrable", "True", "Fetches start straight in the triggerer: far cheaper."),
    AirflowSetting("dag_processor", "refresh_interval", "20", "A new DAG file is seen after seconds, not minutes."),
    AirflowSetting(
        "dag_processor",
        "min_file_process_interval",
        "300",
        "A DAG file that did not change is parsed every five minutes: parsing all of them takes seconds.",
    ),
    AirflowSetting(
        "dag_processor",
        "max_callbacks_per_loop",
        "200",
        "Every instance leaves a request that comes to nothing; each round of them parses the DAG file once.",
    ),
    AirflowSetting(
        "scheduler",
        "task_instance_heartbeat_timeout",
        "30",
        "The task of a worker that was killed is tried again after half a minute instead of five.",
    ),
    AirflowSetting(
        "logging",
        "namespace_levels",
        "airflow.models.trigger=WARNING airflow.jobs.triggerer_job_runner=WARNING "
        "airflow.dag_processing.bundles.manager=WARNING",
        "Lines for every fetch that say nothing cost the triggerer and the DAG processor more than some of their work.",
    ),
)
