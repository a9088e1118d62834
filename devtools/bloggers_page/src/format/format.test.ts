import { describe, expect, it } from "vitest";

import type { Organization } from "../api/types";
import { MOST_LINES, parseLines } from "./lines";
import { httpsOnly } from "./links";
import { counted, number, percent } from "./numbers";
import { bloggersInWords } from "./organizations";
import { lastPage, pageOf, previousPage } from "./pages";
import { projection } from "./projection";
import { countdown, distance } from "./times";
import { accountState, reasonInWords, trackedState } from "./words";

const NOW = new Date("2026-11-26T12:00:00Z");

describe("numbers", () => {
  it("are never zero if they are unknown", () => {
    expect(number(null)).toBe("–");
    expect(number(0)).toBe("0");
  });
  it("have a noun in the right number", () => {
    expect([counted(1, "video"), counted(1200, "video")]).toEqual(["1 video", "1,200 videos"]);
  });
  it("in percent stay between 0 and 100", () => {
    expect([percent(5, 0), percent(12, 10), percent(-1, 10)]).toEqual([0, 100, 0]);
  });
});

describe("times", () => {
  it("count down to the second, and end", () => {
    expect(countdown("2026-11-28T13:02:03Z", NOW)).toBe("2 d 01:02:03");
    expect(countdown("2026-11-26T12:00:09Z", NOW)).toBe("00:00:09");
    expect(countdown("2026-11-26T11:59:59Z", NOW)).toBeNull();
  });
  it("are distances in words in both directions", () => {
    expect(distance("2026-11-26T11:55:00Z", NOW)).toBe("5 minutes ago");
    expect(distance("2026-11-28T12:00:00Z", NOW)).toBe("in 2 days");
    expect(distance("2026-11-26T11:59:50Z", NOW)).toBe("just now");
  });
  it("are distances in numbers, never calendar days", () => {
    expect(distance("2026-11-24T13:00:00Z", NOW)).toBe("1 day ago");
    expect(distance("2026-11-27T12:00:00Z", NOW)).toBe("in 1 day");
  });
});

describe("reasons", () => {
  it("are words for a code, with its detail if there is one", () => {
    expect(reasonInWords("inactive")).toBe("The organization has paused this account.");
    expect(reasonInWords("subscription_limit: asked 30, 3 left")).toBe(
      "The organization has too few videos left in this period (asked 30, 3 left).",
    );
    expect(reasonInWords("platform_suspended: The key was rejected.\nHTTP 403.")).toBe(
      "The platform is suspended for a while (The key was rejected.\nHTTP 403).",
    );
  });
  it("are shown as they are without a known code", () => {
    expect(reasonInWords("The list of videos broke off.")).toBe("The list of videos broke off.");
    expect(reasonInWords("new_code: 3")).toBe("new_code: 3");
    expect([reasonInWords(null), reasonInWords("")]).toEqual([null, null]);
  });
});

describe("states", () => {
  it("of a tracked account begin with the pause", () => {
    const name = (isActive: boolean, isPending: boolean) => trackedState({ isActive, isPending }).name;
    expect([name(false, true), name(false, false)]).toEqual(["Paused", "Paused"]);
    expect([name(true, true), name(true, false)]).toEqual(["First fetch pending", "Active"]);
  });
  it("of an account on its platform never read like those of a tracked account", () => {
    const names = ["active", "private", "not_found", "empty", "renamed"].map((code) => accountState(code).name);
    expect(names).toEqual(["Available", "Private", "Not found", "No videos", "Renamed"]);
  });
});

describe("an organization's bloggers", () => {
  it("count the pending ones within the active ones", () => {
    const counts = { activeAccounts: 5, pausedAccounts: 1, pendingAccounts: 2, bloggerLimit: 10 };
    expect(bloggersInWords(counts)).toBe(
      "Bloggers: 5 active, of which 2 wait for their first fetch; 1 paused; the subscription allows 10.",
    );
    expect(bloggersInWords({ ...counts, pendingAccounts: 0, bloggerLimit: null })).toBe("Bloggers: 5 active; 1 paused.");
  });
});

describe("pages", () => {
  it("of an address are those that the API accepts", () => {
    expect([pageOf(null), pageOf("0"), pageOf("x"), pageOf("2.5"), pageOf("7")]).toEqual([1, 1, 1, 1, 7]);
    expect(pageOf("1000000")).toBe(100_000);
  });
  it("lead back from beyond the end to the last one", () => {
    expect([lastPage(0), lastPage(50), lastPage(51)]).toEqual([1, 1, 2]);
    expect([previousPage(99, 120), previousPage(3, 120), previousPage(1, 0)]).toEqual([3, 2, 1]);
  });
});

describe("links", () => {
  it("lead to addresses of HTTPS alone", () => {
    expect(httpsOnly("https://www.tiktok.com/@a")).toBe("https://www.tiktok.com/@a");
    for (const text of ["javascript:alert(1)", "http://a.example/", "data:text/html,x", "//a.example", "", null]) {
      expect(httpsOnly(text)).toBeNull();
    }
  });
});

describe("the projection", () => {
  const organization: Organization = {
    id: "1", name: "Demo", plan: "demo", periodStart: "2026-11-01T00:00:00Z", periodEnd: "2026-12-01T00:00:00Z",
    videoLimit: 100, opening: 0, charged: 50, reserved: 0, remaining: 50, usedUpAt: null,
    activeAccounts: 1, pausedAccounts: 0, pendingAccounts: 0, bloggerLimit: 10,
  };
  it("warns only if the videos end before the period", () => {
    expect(projection(organization, NOW).runsShort).toBe(false);
    expect(projection({ ...organization, usedUpAt: "2026-12-02T00:00:00Z" }, NOW).runsShort).toBe(false);
    expect(projection({ ...organization, usedUpAt: "2026-11-29T00:00:00Z" }, NOW)).toEqual({
      runsShort: true,
      text: "At the rate so far, used up about 29 Nov 2026, before the period ends.",
    });
  });
  it("says that nothing is fetched without videos or without a subscription", () => {
    expect(projection({ ...organization, remaining: 0 }, NOW).text).toContain("Used up");
    expect(projection({ ...organization, videoLimit: null, periodEnd: null }, NOW).text).toContain("No current");
  });
});

describe("a pasted list", () => {
  const parsed = (text: string) => parseLines(text, "TikTok").map(({ platform, username }) => [platform, username]);

  it("takes the platform from the line, else from the address, else from the form", () => {
    expect(parsed("@ann\r\n\r\n youtube, ben \ncleo\tInstagram\nhttps://www.instagram.com/dora/\nyoutube.com/@eve")).toEqual([
      ["TikTok", "@ann"],
      ["YouTube", "ben"],
      ["Instagram", "cleo"],
      ["Instagram", "https://www.instagram.com/dora/"],
      ["YouTube", "youtube.com/@eve"],
    ]);
  });
  it("takes a single word as a name, and a foreign host as no platform", () => {
    expect(parsed("instagram\nhttps://tiktok.com.example/@x")).toEqual([
      ["TikTok", "instagram"],
      ["TikTok", "https://tiktok.com.example/@x"],
    ]);
  });
  it("marks a repeated line, on the same platform alone", () => {
    const problems = parseLines("ann\n@ANN\nInstagram ann", "TikTok").map((line) => line.problem);
    expect(problems).toEqual([null, "The same as a line above.", null]);
  });
  it("marks lines beyond the greatest number", () => {
    const lines = parseLines(Array.from({ length: MOST_LINES + 1 }, (_, index) => `name${index}`).join("\n"), "TikTok");
    expect(lines[MOST_LINES - 1]?.problem).toBeNull();
    expect(lines[MOST_LINES]?.problem).toContain("Only 200 lines");
  });
});
