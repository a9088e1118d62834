import { ApiError, errorOf } from "./errors";

export type Query = Record<string, string | number | null | undefined>;

/** Return the address of a path below Airflow's own address, whatever prefix Airflow is served under. */
export function address(path: string, query: Query = {}): string {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** Return the JSON of an answer. Throws ApiError, and AbortError if `signal` ends the request. */
export async function getJson<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  return answerOf<T>(address(path, query), signal ? { signal } : {});
}

/** Send a body as JSON and return the JSON of the answer. Throws ApiError. */
export async function postJson<T>(path: string, body: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return answerOf<T>(address(path), { method: "POST", headers, body: JSON.stringify(body) });
}

async function answerOf<T>(url: string, options: RequestInit): Promise<T> {
  const response = await fetch(url, { ...options, credentials: "same-origin" }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, null, "Airflow does not answer.");
  });
  if (!response.ok) throw await errorOf(response);
  return (await response.json()) as T;
}
