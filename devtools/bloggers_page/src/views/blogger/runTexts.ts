import { type ApiError, actionAdvice } from "../../api/errors";

const ENDED = new Set(["success", "failed"]);
const FOLLOWS = "The result appears here by itself.";

/** Return true for the state of a DAG run that does not change any more. */
export function hasEnded(state: string | undefined): boolean {
  return state !== undefined && ENDED.has(state);
}

/**
 * Return what a run that was triggered for a blogger does, as the end of a sentence that begins with the run.
 *
 * An undefined `state` is not known, and an undefined `fetched` is not known yet.
 */
export function runText(state: string | undefined, fetched: boolean | undefined): string {
  if (state === undefined) return "was triggered.";
  if (state === "queued") return `waits to start. ${FOLLOWS}`;
  if (!hasEnded(state)) return `fetches the blogger now. ${FOLLOWS}`;
  if (fetched === undefined) return "has ended.";
  return fetched
    ? "has ended. Its fetch is the newest below."
    : "has ended without a fetch of this blogger. In Organizations, “Show the next run’s plan” says why for each organization.";
}

/** Return what happened to a request to start a run, and what to do. */
export function triggerProblem(error: ApiError): { title: string; text: string } {
  if (error.status === 0) {
    return {
      title: "Airflow does not answer",
      text:
        "It is not known whether the run was started. Look at the runs of the DAG blogger_batch_fetch before you press " +
        "the button again.",
    };
  }
  const advice = actionAdvice(error.status);
  return { title: "The run was not started", text: advice ? `${error.message} ${advice}` : error.message };
}
