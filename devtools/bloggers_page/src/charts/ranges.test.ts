import { describe, expect, it } from "vitest";

import { rangeOfCounts } from "./ranges";

describe("the axis of counts", () => {
  it("has no negative numbers, also around zero alone", () => {
    expect(rangeOfCounts(0, 0)).toEqual([0, 2]);
    expect(rangeOfCounts(1, 1)).toEqual([0, 3]);
  });
  it("has a width around a single value, and else the values' own", () => {
    expect(rangeOfCounts(100, 100)).toEqual([95, 105]);
    expect(rangeOfCounts(3, 7)).toEqual([3, 7]);
  });
});
