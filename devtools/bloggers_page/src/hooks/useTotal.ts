import { useRef } from "react";

import type { Listing } from "../api/types";

/** Return the newest known total of a list, so that its pager stays while another page is loaded. */
export function useTotal(list: Listing<unknown> | undefined): number {
  const total = useRef(0);
  if (list) total.current = list.total;
  return total.current;
}
