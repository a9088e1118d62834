/** Names and explanations of the codes of the ledger. A code without an entry is shown as it is. */

import type { Tracked } from "../api/types";

export type Palette = "green" | "teal" | "blue" | "gray" | "purple" | "orange" | "yellow" | "red";
type State = { name: string; palette: Palette; meaning: string };

/** States of a fetch, in the order in which bars show them. */
export const FETCH_STATES: Record<string, State> = {
  succeeded: { name: "Succeeded", palette: "green", meaning: "All videos that were asked for were read." },
  partial: { name: "Partial", palette: "yellow", meaning: "The list of videos broke off; the videos read so far are saved." },
  empty: { name: "Empty", palette: "teal", meaning: "The account has no videos." },
  private: { name: "Private", palette: "purple", meaning: "The account is private, so its videos cannot be read." },
  not_found: { name: "Not found", palette: "orange", meaning: "The platform has no such account any more." },
  skipped: { name: "Skipped", palette: "gray", meaning: "Nothing was requested and nothing was charged." },
  running: { name: "Running", palette: "blue", meaning: "The videos are being read now." },
  planned: { name: "Planned", palette: "blue", meaning: "Waits for its turn in the run." },
  released: { name: "Released", palette: "orange", meaning: "The fetch ended without a result. The next run fetches the blogger." },
  failed: { name: "Failed", palette: "red", meaning: "The platform gave no usable answer. Nothing was charged." },
};

/** States of an account on its platform. */
const ACCOUNT_STATES: Record<string, { name: string; palette: Palette }> = {
  active: { name: "Available", palette: "green" },
  private: { name: "Private", palette: "purple" },
  not_found: { name: "Not found", palette: "orange" },
  empty: { name: "No videos", palette: "teal" },
  renamed: { name: "Renamed", palette: "gray" },
};

const REASONS: Record<string, string> = {
  inactive: "The organization has paused this account.",
  removed: "The account is not tracked any more.",
  invalid: "The account's data is incomplete.",
  pending_initial_fetch: "The first fetch of this account is still to come.",
  already_running: "Another run is fetching this blogger.",
  no_active_subscription: "The organization has no current subscription.",
  subscription_limit: "The organization has too few videos left in this period.",
  platform_suspended: "The platform is suspended for a while.",
  daily_units: "YouTube's units of the day are used up.",
};

const DECISIONS: Record<string, { name: string; palette: Palette }> = {
  full: { name: "All videos", palette: "green" },
  partial: { name: "A part", palette: "yellow" },
  skip: { name: "Nothing", palette: "gray" },
};

export const fetchState = (code: string): State =>
  FETCH_STATES[code] ?? { name: code, palette: "gray", meaning: "" };
export const accountState = (code: string) => ACCOUNT_STATES[code] ?? { name: code, palette: "gray" as const };
export const decision = (code: string) => DECISIONS[code] ?? { name: code, palette: "gray" as const };

/** Return a reason, which may be a code with a detail such as `invalid: no name`, in words; null if there is none. */
export function reasonInWords(reason: string | null): string | null {
  if (reason === null || reason === "") return null;
  const [, code = "", detail = ""] = /^([a-z_]+)(?:: (.*))?$/s.exec(reason) ?? [];
  const words = REASONS[code];
  if (words === undefined) return reason;
  return detail === "" ? words : `${words.slice(0, -1)} (${detail.replace(/\.$/, "")}).`;
}

/** Return the state of an account that an organization tracks. A paused account is paused before everything else. */
export function trackedState({ isActive, isPending }: Pick<Tracked, "isActive" | "isPending">): {
  name: string;
  palette: Palette;
} {
  if (!isActive) return { name: "Paused", palette: "gray" };
  return isPending ? { name: "First fetch pending", palette: "blue" } : { name: "Active", palette: "green" };
}

/** Return a code such as `duplicate_charges` as words. */
export function spaced(code: string): string {
  const words = code.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
