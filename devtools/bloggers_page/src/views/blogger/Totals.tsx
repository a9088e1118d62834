import { Flex } from "@chakra-ui/react";
import { useState } from "react";

import { api } from "../../api/client";
import type { DailyTotals } from "../../api/types";
import { TimeChart } from "../../charts/TimeChart";
import { Choice } from "../../components/Choice";
import { Loaded } from "../../components/Loaded";
import { Section } from "../../components/Section";
import { useResource } from "../../hooks/useResource";

const COUNTS = [
  ["views", "Views"],
  ["likes", "Likes"],
  ["comments", "Comments"],
] as const;
const SPANS = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "1 year"],
] as const;

type Props = { bloggerId: string; version: string };

/** Sums over all videos of a blogger, day by day. */
export const Totals = ({ bloggerId, version }: Props) => {
  const [count, setCount] = useState("views");
  const [days, setDays] = useState("30");
  const statistics = useResource(
    `statistics ${bloggerId} ${days}`,
    (signal) => api.statistics(bloggerId, Number(days), signal),
    { version },
  );
  const index = COUNTS.findIndex(([name]) => name === count) + 1;
  const title = `${COUNTS[index - 1]?.[1]} of all videos`;
  return (
    <Section hint="Sums over all known videos. A gap is a time without a known number." title="Statistics">
      <Flex gap={3} mb={3} wrap="wrap">
        <Choice label="Count" onChange={setCount} options={COUNTS} value={count} />
        <Choice label="Time" onChange={setDays} options={SPANS} value={days} />
      </Flex>
      <Loaded lines={5} resource={statistics}>
        {({ totals }) => (
          <TimeChart points={totals.map((row) => ({ at: row[0], value: valueAt(row, index) }))} title={title} />
        )}
      </Loaded>
    </Section>
  );
};

function valueAt(row: DailyTotals, index: number): number | null {
  const value = row[index];
  return typeof value === "number" ? value : null;
}
