import type { Organization } from "../api/types";
import { day } from "./times";

export type Projection = { text: string; runsShort: boolean };

/** Return what is to be expected of an organization's videos until its period ends. */
export function projection(organization: Organization, now: Date): Projection {
  const { videoLimit, remaining, usedUpAt, periodEnd } = organization;
  if (videoLimit === null || periodEnd === null) {
    return { text: "No current subscription: nothing is fetched for this organization.", runsShort: true };
  }
  if (remaining !== null && remaining <= 0) {
    return { text: `Used up: nothing more is fetched until the period ends on ${day(periodEnd)}.`, runsShort: true };
  }
  if (usedUpAt !== null && new Date(usedUpAt) < new Date(periodEnd)) {
    const when = new Date(usedUpAt) <= now ? "about now" : `about ${day(usedUpAt)}`;
    return { text: `At the rate so far, used up ${when}, before the period ends.`, runsShort: true };
  }
  return { text: `At the rate so far, enough until the period ends on ${day(periodEnd)}.`, runsShort: false };
}
