const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** Text for a number that is not known. */
export const UNKNOWN = "–";

/** Return a number with separators, such as 12,345. */
export function number(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : whole.format(value);
}

/** Return a number in few characters, such as 12.3K. */
export function short(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : compact.format(value);
}

/** Return a number with its noun: 1 video, 2 videos. */
export function counted(value: number, noun: string): string {
  return `${whole.format(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Return a part of a whole in percent, between 0 and 100; 0 of an empty whole. */
export function percent(part: number, of: number): number {
  return of > 0 ? Math.min(100, Math.max(0, (part / of) * 100)) : 0;
}
