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
  401: "Your login has ended. Reload the page to log in again.",
  403: "Your Airflow role does not allow this. Ask an administrator for another role.",
};

const LOADING_ADVICE: Record<number, string> = {
  0: "Check the connection to the network, then press Try again.",
  400: "A filter in the address is not valid. Remove the filter from the address.",
  404: "There is nothing at this address. It may have been removed; go back to the list.",
};

/** Return the advice for data that could not be loaded; null if the message of the answer says all there is to say. */
export function loadingAdvice(status: number): string | null {
  return LOADING_ADVICE[status] ?? actionAdvice(status);
}

/** Return the advice for an action that was refused; null if the message of the answer says all there is to say. */
export function actionAdvice(status: number): string | null {
  return ADVICE[status] ?? (isFault(status) ? "If this lasts, tell an operator: the command “doctor” finds the cause." : null);
}

/** Return true if the same request can succeed later without any change. */
export function isTemporary(status: number): boolean {
  return status === 0 || status === 429 || isFault(status);
}

/** Return what a request threw as an ApiError. */
export function asApiError(thrown: unknown): ApiError {
  return thrown instanceof ApiError ? thrown : new ApiError(0, null, String(thrown));
}

function isFault(status: number): boolean {
  return status >= 500;
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
