import { api } from "../api/client";
import { useResource } from "./useResource";

/** Return true if the person may trigger runs and add bloggers; undefined until this is known. */
export function useMayAct(): boolean | undefined {
  return useResource("me", api.me).data?.mayAct;
}
