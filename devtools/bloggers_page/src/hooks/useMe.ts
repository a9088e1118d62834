import { api } from "../api/client";
import type { Me } from "../api/types";
import { type Resource, useResource } from "./useResource";

/** Return the rights of the person: whether the person may trigger runs and add bloggers. */
export function useMe(): Resource<Me> {
  return useResource("me", api.me);
}
