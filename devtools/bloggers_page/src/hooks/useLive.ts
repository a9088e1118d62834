import { api } from "../api/client";
import type { LiveRun } from "../api/types";
import { type Resource, useResource } from "./useResource";

const WHILE_RUNNING_SECONDS = 3;
const WHILE_IDLE_SECONDS = 15;

/** Return the runs that are being fetched, asked for often while there are any. */
export function useLive(): Resource<LiveRun[]> {
  const everySeconds = (runs: LiveRun[] | undefined) => (runs?.length ? WHILE_RUNNING_SECONDS : WHILE_IDLE_SECONDS);
  return useResource("live", api.live, { everySeconds });
}
