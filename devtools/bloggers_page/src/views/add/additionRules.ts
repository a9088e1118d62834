import { type ApiError, actionAdvice } from "../../api/errors";

/** Lines that an error refuses: the sent line alone, all lines of its platform, or all further lines. */
export type Reach = "line" | "platform" | "all";

const ENDING_STATUSES = new Set([0, 401, 403, 429, 503]);

const REACH_OF_CODES: Record<string, Reach> = {
  platform_quota_exceeded: "platform",
  platform_suspended: "platform",
  platform_unavailable: "platform",
  platform_busy: "platform",
  no_active_subscription: "all",
  organization_not_found: "all",
  // The organization has paused this blogger.
  role_not_allowed: "line",
};

const STANDARD_PAUSE_SECONDS = 60;

/** Codes of answers that name no more than their status. */
const BARE_CODES = new Set(["unauthorized", "forbidden"]);

const FIRST_VIDEOS: Record<string, string> = {
  fetched: "The first videos are here already.",
  ended: "The first fetch has ended without videos.",
  started: "The first videos are fetched now.",
};

/** Return the lines that would be refused with this error. */
export function reachOf(error: ApiError): Reach {
  return REACH_OF_CODES[error.code ?? ""] ?? (ENDING_STATUSES.has(error.status) ? "all" : "line");
}

/** Return the earliest moment at which the lines that `errors` keep waiting can be sent again. */
export function continueAt(errors: ApiError[], now: Date): Date {
  const ending = errors.filter((error) => reachOf(error) === "all");
  const seconds = (ending.length ? ending : errors).map(pauseSeconds);
  return new Date(now.getTime() + Math.min(...seconds) * 1000);
}

/** Return what happened to an addition that was refused, and what to do. `button` is the name of the button to press. */
export function additionProblem(error: ApiError, button: string): string {
  const advice = additionAdvice(error, button);
  return advice ? `${error.message} ${advice}` : error.message;
}

/** Return what becomes of the first videos of an added blogger. */
export function firstVideos(state: string): string {
  return FIRST_VIDEOS[state] ?? "The first videos come with the next run.";
}

function additionAdvice({ status, code, message, retryAfterSeconds }: ApiError, button: string): string | null {
  if (status === 0) {
    return `It is not known whether the blogger was added. Press ${button}; a blogger that was added is then shown as followed already.`;
  }
  if (retryAfterSeconds !== null && !/try again/i.test(message)) {
    return `Try again in ${Math.ceil(retryAfterSeconds)} seconds.`;
  }
  return code === null || BARE_CODES.has(code) ? actionAdvice(status) : null;
}

function pauseSeconds(error: ApiError): number {
  return error.retryAfterSeconds ?? (error.status === 429 ? STANDARD_PAUSE_SECONDS : 0);
}
