import { describe, expect, it } from "vitest";

import { ApiError } from "../../api/errors";
import { additionProblem, continueAt, firstVideos, reachOf } from "./additionRules";

const NOW = new Date("2026-11-26T12:00:00Z");
const suspended = new ApiError(503, "platform_suspended", "TikTok is suspended at the moment. Try again in 900 s.", 900);
const unavailable = new ApiError(503, "platform_unavailable", "YouTube is not available now.", 30);
const limited = new ApiError(429, "rate_limited", "Too many requests.");

describe("a refused addition", () => {
  it.each([
    ["platform_quota_exceeded", 503],
    ["platform_suspended", 503],
    ["platform_unavailable", 503],
    ["platform_busy", 503],
  ])("with %s keeps the lines of its platform waiting", (code, status) => {
    expect(reachOf(new ApiError(status, code, ""))).toBe("platform");
  });
  it.each([
    [null, 0],
    ["unauthorized", 401],
    ["no_active_subscription", 402],
    ["forbidden", 403],
    ["organization_not_found", 404],
    ["look_up_budget_spent", 429],
    ["busy", 503],
    ["unavailable", 503],
    [null, 503],
  ])("with %s and %s ends the list", (code, status) => {
    expect(reachOf(new ApiError(status, code, ""))).toBe("all");
  });
  it.each([
    ["invalid_username", 400],
    ["blogger_limit_reached", 402],
    ["role_not_allowed", 403],
    ["blogger_not_found", 404],
    ["already_tracked", 409],
    ["platform_failed", 502],
  ])("with %s concerns its line alone", (code, status) => {
    expect(reachOf(new ApiError(status, code, ""))).toBe("line");
  });
});

describe("the moment to continue at", () => {
  it("is that of the first platform that accepts requests again", () => {
    expect(continueAt([suspended, unavailable], NOW)).toEqual(new Date("2026-11-26T12:00:30Z"));
  });
  it("is that of the error that ended the list, by default a minute after a 429", () => {
    expect(continueAt([unavailable, limited], NOW)).toEqual(new Date("2026-11-26T12:01:00Z"));
    expect(continueAt([new ApiError(0, null, "No answer.")], NOW)).toEqual(NOW);
  });
});

describe("the problem of an addition", () => {
  it("is the message alone if the message has a code that explains the refusal", () => {
    for (const [status, code] of [[403, "role_not_allowed"], [404, "blogger_not_found"], [503, "unavailable"]] as const) {
      expect(additionProblem(new ApiError(status, code, "The message."), "Continue")).toBe("The message.");
    }
  });
  it("says once when to try again", () => {
    expect(additionProblem(suspended, "Continue")).toBe(suspended.message);
    expect(additionProblem(unavailable, "Continue")).toBe("YouTube is not available now. Try again in 30 seconds.");
  });
  it("says after no answer that the result is not known", () => {
    expect(additionProblem(new ApiError(0, null, "No answer."), "Add again")).toBe(
      "No answer. It is not known whether the blogger was added. Press Add again; a blogger that was added is then " +
        "shown as followed already.",
    );
  });
  it("says what to do without a login or a right", () => {
    expect(additionProblem(new ApiError(401, "unauthorized", "Unauthorized."), "Continue")).toContain("Reload the page");
    expect(additionProblem(new ApiError(403, "forbidden", "Forbidden."), "Continue")).toContain("role does not allow");
  });
});

describe("the first videos", () => {
  it("are announced only if they are not here already", () => {
    expect(firstVideos("started")).toBe("The first videos are fetched now.");
    expect(firstVideos("waiting")).toBe("The first videos come with the next run.");
    expect(firstVideos("fetched")).toBe("The first videos are here already.");
    expect(firstVideos("ended")).toBe("The first fetch has ended without videos.");
  });
});
