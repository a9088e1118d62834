import { chakra } from "@chakra-ui/react";
import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";

import type { DatedNumber } from "../api/types";
import { short } from "../format/numbers";

const WIDTH = 120;
const HEIGHT = 28;
const MARGIN = 3;

/** Small plot over time without axes, with a gap where a number is not known. */
export const Sparkline = ({ label, points }: { label: string; points: DatedNumber[] }) => {
  const known = points.flatMap(([, value]) => (value === null ? [] : [value]));
  const first = known[0];
  if (first === undefined) return <chakra.span color="fg.muted">No numbers yet</chakra.span>;
  const times = points.map(([date]) => Date.parse(date));
  const start = Math.min(...times);
  const x = scaleLinear([start, Math.max(start + 1, ...times)], [MARGIN, WIDTH - MARGIN]);
  const y = scaleLinear([Math.min(...known), Math.max(...known)], [HEIGHT - MARGIN, MARGIN]);
  const lastIndex = points.findLastIndex(([, value]) => value !== null);
  const xOf = (index: number) => x(times[index] ?? start);
  const path = line<DatedNumber>()
    .defined(([, value]) => value !== null)
    .x((_, index) => xOf(index))
    .y(([, value]) => y(value ?? 0));
  return (
    <chakra.svg aria-label={`${label}: from ${short(first)} to ${short(known.at(-1))}`} color="blue.fg" display="inline-block" height={`${HEIGHT}px`} role="img" verticalAlign="bottom" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={`${WIDTH}px`}>
      <circle cx={xOf(lastIndex)} cy={y(known.at(-1) ?? 0)} fill="currentColor" r={2} />
      <path d={path(points) ?? ""} fill="none" stroke="currentColor" strokeLinecap="round" strokeWidth={1.5} />
    </chakra.svg>
  );
};
