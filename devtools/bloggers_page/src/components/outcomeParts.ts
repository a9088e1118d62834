import type { Tally } from "../api/types";
import { FETCH_STATES, fetchState } from "../format/words";
import type { Part } from "./StackedBar";

/** Return the parts of a bar for fetches by state, in the order of the states. */
export function outcomeParts(tally: Tally): Part[] {
  const known = Object.keys(FETCH_STATES);
  const further = Object.keys(tally).filter((state) => !known.includes(state));
  return [...known, ...further].map((state) => {
    const { name, palette } = fetchState(state);
    return { name, value: tally[state] ?? 0, color: palette, faint: state === "planned" };
  });
}
