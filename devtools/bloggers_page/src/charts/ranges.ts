/** Return a range with a width, also around a single value. */
export function spread(low: number, high: number, margin: number): [number, number] {
  return low === high ? [low - margin, high + margin] : [low, high];
}

/** Return the range of an axis of counts, which are never negative. */
export function rangeOfCounts(low: number, high: number): [number, number] {
  const [from, to] = spread(low, high, Math.max(2, Math.round(high / 20)));
  return [Math.max(0, from), to];
}
