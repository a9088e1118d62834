import type { Organization } from "../api/types";
import { number } from "./numbers";

type Counts = Pick<Organization, "activeAccounts" | "pausedAccounts" | "pendingAccounts" | "bloggerLimit">;

/** Return an organization's numbers of bloggers in words. The pending ones are a part of the active ones. */
export function bloggersInWords({ activeAccounts, pausedAccounts, pendingAccounts, bloggerLimit }: Counts): string {
  const waiting = pendingAccounts === 1 ? "1 waits for its first fetch" : `${number(pendingAccounts)} wait for their first fetch`;
  const pending = pendingAccounts === 0 ? "" : `, of which ${waiting}`;
  const limit = bloggerLimit === null ? "" : `; the subscription allows ${number(bloggerLimit)}`;
  return `Bloggers: ${number(activeAccounts)} active${pending}; ${number(pausedAccounts)} paused${limit}.`;
}
