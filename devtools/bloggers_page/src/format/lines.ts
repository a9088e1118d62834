import { PLATFORMS, type Platform } from "../api/types";

export const MOST_LINES = 200;

export type Line = { text: string; platform: Platform; username: string; problem: string | null };

const HOSTS: [RegExp, Platform][] = [
  [/(^|\.)tiktok\.com$/i, "TikTok"],
  [/(^|\.)(instagram\.com|instagr\.am)$/i, "Instagram"],
  [/(^|\.)(youtube\.com|youtu\.be)$/i, "YouTube"],
];

/**
 * Return the bloggers of a pasted list, one a line: a name, `platform name`, `name platform`, or a profile's address.
 *
 * Empty lines are left out. A line that repeats an earlier one, or is beyond the greatest number, has a problem.
 */
export function parseLines(pasted: string, standard: Platform): Line[] {
  const seen = new Set<string>();
  return pasted
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((text, index) => {
      const { platform, username } = parseLine(text, standard);
      const key = `${platform} ${username.replace(/^@/, "").toLowerCase()}`;
      const problem = lineProblem(username, index, seen.has(key));
      seen.add(key);
      return { text, platform, username, problem };
    });
}

function lineProblem(username: string, index: number, repeated: boolean): string | null {
  if (index >= MOST_LINES) return `Only ${MOST_LINES} lines are added at once. Add this one afterwards.`;
  if (username === "") return "The name is missing.";
  return repeated ? "The same as a line above." : null;
}

function parseLine(text: string, standard: Platform): { platform: Platform; username: string } {
  const words = text.split(/[\s,;]+/).filter((word) => word !== "");
  const named = words.findIndex((word) => platformNamed(word) !== null);
  // A blogger may be called like a platform, so a single word is always a name.
  const stated = words.length > 1 && named >= 0 ? platformNamed(words[named] ?? "") : null;
  const rest = stated === null ? words : words.filter((_, index) => index !== named);
  const username = rest.join(" ");
  return { platform: stated ?? platformOfAddress(username) ?? standard, username };
}

function platformNamed(word: string): Platform | null {
  return PLATFORMS.find((platform) => platform.toLowerCase() === word.toLowerCase()) ?? null;
}

function platformOfAddress(text: string): Platform | null {
  const host = /^(?:https?:\/\/)?([a-z0-9.-]+)\//i.exec(text)?.[1] ?? "";
  return HOSTS.find(([pattern]) => pattern.test(host))?.[1] ?? null;
}
