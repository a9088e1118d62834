import { describe, expect, it } from "vitest";

import { ApiError } from "../../api/errors";
import { runText, triggerProblem } from "./runTexts";

describe("a triggered run", () => {
  it("waits, fetches, and has ended", () => {
    expect(runText("queued", undefined)).toMatch(/^waits to start/);
    expect(runText("running", undefined)).toMatch(/^fetches the blogger now/);
    expect(runText("success", true)).toBe("has ended. Its fetch is the newest below.");
    expect(runText("failed", false)).toMatch(/^has ended without a fetch of this blogger/);
  });
  it("says nothing about its fetch before the fetches are read, and nothing about a state that is not known", () => {
    expect(runText("success", undefined)).toBe("has ended.");
    expect(runText(undefined, undefined)).toBe("was triggered.");
  });
});

describe("a run that was not triggered", () => {
  it("may have been started if there is no answer", () => {
    expect(triggerProblem(new ApiError(0, null, "No answer.")).text).toContain("not known whether the run was started");
  });
  it("comes with the advice of its status, and never with that of a missing page", () => {
    expect(triggerProblem(new ApiError(403, null, "Forbidden")).text).toContain("Ask an administrator");
    expect(triggerProblem(new ApiError(404, null, "The DAG was not found")).text).toBe("The DAG was not found");
  });
});
