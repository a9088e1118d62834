import { type ApiError, actionAdvice } from "../../api/errors";

/** Return what happened to an addition that was refused, and what to do. */
export function additionProblem(error: ApiError): string {
  const wait = error.retryAfterSeconds === null ? "" : ` Try again in ${Math.ceil(error.retryAfterSeconds)} seconds.`;
  const advice = wait || actionAdvice(error.status);
  return advice ? `${error.message} ${advice.trim()}` : error.message;
}
