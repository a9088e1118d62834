const dayFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });
const timeFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const hourFormat = new Intl.DateTimeFormat("en-GB", { timeStyle: "short", timeZone: "UTC" });
const shortDayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const monthFormat = new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" });

const A_YEARS_HALF = 183 * 86_400_000;

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 86_400],
  ["month", 30 * 86_400],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** Return a day in UTC, such as 3 Dec 2026. */
export function day(iso: string): string {
  return dayFormat.format(new Date(iso));
}

/** Return a time on an axis that shows so many milliseconds: the day, the month of a long axis, or the hour of a day. */
export function tickText(tick: Date, span: number): string {
  if (tick.getUTCHours() !== 0) return hourFormat.format(tick);
  return (span > A_YEARS_HALF ? monthFormat : shortDayFormat).format(tick);
}

/** Return a moment in UTC to the minute. */
export function moment(iso: string): string {
  return `${timeFormat.format(new Date(iso))} UTC`;
}

/** Return the distance between a time and now in words, such as "5 minutes ago" or "in 2 days". */
export function distance(iso: string, now: Date): string {
  const seconds = (new Date(iso).getTime() - now.getTime()) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return seconds > 0 ? "in less than a minute" : "just now";
}

/** Return the time that is left until a moment, such as 2 d 03:04:05; null if the moment has passed. */
export function countdown(iso: string, now: Date): string | null {
  const left = Math.floor((new Date(iso).getTime() - now.getTime()) / 1000);
  if (left < 0) return null;
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = `${two(Math.floor(left / 3600) % 24)}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
  const days = Math.floor(left / 86_400);
  return days > 0 ? `${days} d ${clock}` : clock;
}
