import { Box, chakra } from "@chakra-ui/react";
import { scaleLinear, scaleUtc } from "d3-scale";
import { line } from "d3-shape";
import { useId } from "react";

import { number } from "../format/numbers";
import { day, tickText } from "../format/times";
import { rangeOfCounts, spread } from "./ranges";

export type Point = { at: string; value: number | null };

type Props = { title: string; points: Point[] };

const WIDTH = 640;
const HEIGHT = 220;
const A_DAY = 86_400_000;
const MARGIN = { top: 10, right: 28, bottom: 26, left: 52 };

/** Line over time with axes; the line has a gap where a number is not known. */
export const TimeChart = ({ title, points }: Props) => {
  const id = useId();
  const known = points.flatMap((point) => (point.value === null ? [] : [{ ...point, value: point.value }]));
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) {
    return <Box color="fg.muted">There are no numbers in this time. Numbers appear after the next fetch.</Box>;
  }
  const times = points.map((point) => new Date(point.at).getTime());
  const values = known.map((point) => point.value);
  const x = scaleUtc(spread(Math.min(...times), Math.max(...times), 2 * A_DAY), [MARGIN.left, WIDTH - MARGIN.right]);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const y = scaleLinear(rangeOfCounts(low, high), [HEIGHT - MARGIN.bottom, MARGIN.top]).nice(5);
  const path = line<Point>()
    .defined((point) => point.value !== null)
    .x((point) => x(new Date(point.at)))
    .y((point) => y(point.value ?? 0));
  const span = Math.max(...times) - Math.min(...times);
  // Only as many digits as tell the ticks apart, with the letters of the other numbers of the page.
  const size = y.tickFormat(5, "~s");
  const summary =
    `From ${number(first.value)} on ${day(first.at)} to ${number(last.value)} on ${day(last.at)}; ` +
    `lowest ${number(low)}, highest ${number(high)}.`;
  return (
    <Box aria-label={title} overflowX="auto" role="region" tabIndex={0}>
      <chakra.svg aria-labelledby={id} color="fg.muted" fontSize="11px" maxW="820px" minW="440px" role="img" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="full">
        <title id={id}>{`${title}. ${summary}`}</title>
        {y.ticks(5).filter(Number.isInteger).map((tick) => (
          <g key={tick} transform={`translate(0 ${y(tick)})`}>
            <line opacity={0.25} stroke="currentColor" x1={MARGIN.left} x2={WIDTH - MARGIN.right} />
            <text dy="0.32em" fill="currentColor" textAnchor="end" x={MARGIN.left - 8}>
              {tick === 0 ? "0" : size(tick).replace("k", "K").replace("G", "B")}
            </text>
          </g>
        ))}
        {x.ticks(5).map((tick) => (
          <g key={tick.getTime()} transform={`translate(${x(tick)} ${HEIGHT - MARGIN.bottom})`}>
            <line stroke="currentColor" y2={5} />
            <text dy="1.6em" fill="currentColor" textAnchor="middle">
              {tickText(tick, span)}
            </text>
          </g>
        ))}
        <line stroke="currentColor" x1={MARGIN.left} x2={WIDTH - MARGIN.right} y1={HEIGHT - MARGIN.bottom} y2={HEIGHT - MARGIN.bottom} />
        <chakra.g color="blue.fg">
          <path d={path(points) ?? ""} fill="none" stroke="currentColor" strokeLinejoin="round" strokeWidth={2} />
          {known.map((point) => (
            <circle cx={x(new Date(point.at))} cy={y(point.value)} fill="currentColor" key={point.at} r={known.length > 60 ? 1.5 : 3}>
              <title>{`${day(point.at)}: ${number(point.value)}`}</title>
            </circle>
          ))}
        </chakra.g>
      </chakra.svg>
    </Box>
  );
};
