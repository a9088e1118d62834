/** Addresses inside Airflow's UI. The router adds the prefix under which Airflow is served. */

import type { Fetch } from "./api/types";

const ROOT = "/plugin/bloggers";

export const paths = {
  overview: ROOT,
  organizations: `${ROOT}/organizations`,
  bloggers: `${ROOT}/bloggers`,
  add: `${ROOT}/add`,
  blogger: (id: string) => `${ROOT}/bloggers/${encodeURIComponent(id)}`,
  bloggersOf: (organizationId: string) => `${ROOT}/bloggers?organization=${encodeURIComponent(organizationId)}`,
  addTo: (organizationId: string) => `${ROOT}/add?organization=${encodeURIComponent(organizationId)}`,
  dagRun: (dagId: string, dagRunId: string) =>
    `/dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(dagRunId)}`,
};

/** Return the address of the task instance that ran a fetch, or of its DAG run if the task is unknown. */
export function taskInstancePath(fetch: Pick<Fetch, "dagId" | "dagRunId" | "taskId" | "mapIndex">): string {
  const run = paths.dagRun(fetch.dagId, fetch.dagRunId);
  if (fetch.taskId === null) return run;
  const task = `${run}/tasks/${encodeURIComponent(fetch.taskId)}`;
  return fetch.mapIndex === null || fetch.mapIndex < 0 ? task : `${task}/mapped/${fetch.mapIndex}`;
}
