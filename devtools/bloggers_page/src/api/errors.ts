/** An answer that is not a success, or no answer at all (`status` 0). The message is for people. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(status: number, code: string | null, message: string, retryAfterSeconds: number | null = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const ADVICE: Record<number, string> = {
  0: "Airflow does not answer. Check the connection to the network; the page tries again by itself.",
  401: "Your login has ended. Reload the page to log in again.",
  403: "Your Airflow role does not allow this. Ask an administrator for a role that may.",
  422: "A filter in the address is not valid. Remove it from the address, or open the view anew.",
  404: "There is nothing at this address. It may have been removed; go back to the list.",
};

/** Return the advice for a status; null if the message of the answer says all there is to say. */
export function adviceFor(status: number): string | null {
  return ADVICE[status] ?? (status >= 500 ? "Try again in a minute. If this lasts, tell an operator: the command “doctor” finds the cause." : null);
}

type ErrorBody = { error?: { code?: unknown; message?: unknown }; detail?: unknown };

/** Return the error of an answer: of this system (`error`), or of Airflow (`detail`). */
export async function errorOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as ErrorBody;
  const message = text(body.error?.message) ?? text(body.detail) ?? `The answer was ${response.status}.`;
  return new ApiError(response.status, text(body.error?.code), message, seconds(response.headers.get("Retry-After")));
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function seconds(header: string | null): number | null {
  const value = Number(header);
  return header !== null && Number.isFinite(value) && value >= 0 ? value : null;
}
