import { Text } from "@chakra-ui/react";

import type { Overview } from "../../api/types";
import { Section } from "../../components/Section";
import { StackedBar } from "../../components/StackedBar";
import { When } from "../../components/When";
import { number } from "../../format/numbers";

/** YouTube's units of the day against the budget. */
export const Units = ({ spent, budget, resetsAt }: Overview["youtubeUnits"]) => (
  <Section hint="YouTube counts requests in units per day. Without units, YouTube waits for the next day." title="YouTube units">
    <StackedBar
      label="YouTube units"
      parts={[
        { name: "Spent", value: spent, color: "blue" },
        { name: "Left", value: Math.max(0, budget - spent), color: "gray", faint: true },
      ]}
    />
    <Text fontSize="sm" mt={2}>
      {number(spent)} of {number(budget)} today; new units <When at={resetsAt} />.
    </Text>
  </Section>
);
