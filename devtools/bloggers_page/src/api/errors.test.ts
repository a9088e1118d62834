import { describe, expect, it } from "vitest";

import { actionAdvice, isTemporary, loadingAdvice } from "./errors";

describe("an error of a view", () => {
  it("is temporary without an answer, at too many requests, and at a fault of the server", () => {
    expect([0, 429, 500, 503].map(isTemporary)).toEqual([true, true, true, true]);
    expect([400, 401, 403, 404].map(isTemporary)).toEqual([false, false, false, false]);
  });
  it("comes with advice that fits what the API answers", () => {
    expect(loadingAdvice(400)).toContain("Remove the filter");
    expect(loadingAdvice(0)).toContain("press Try again");
    expect(loadingAdvice(503)).toContain("tell an operator");
  });
  it("gives advice about addresses and lists to no action", () => {
    expect([0, 400, 404, 409].map(actionAdvice)).toEqual([null, null, null, null]);
    expect(actionAdvice(403)).toContain("another role");
  });
});
