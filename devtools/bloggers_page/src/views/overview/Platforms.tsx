import { Box, Grid, Text } from "@chakra-ui/react";

import type { Overview } from "../../api/types";
import { Section } from "../../components/Section";
import { Tag } from "../../components/Tag";
import { When } from "../../components/When";
import { counted, number } from "../../format/numbers";
import { moment } from "../../format/times";
import { reasonInWords } from "../../format/words";

type Props = { overview: Pick<Overview, "platforms" | "requestsToday" | "requestsOfLastRun"> };

/** State of each platform, with its requests and its newest fetch. */
export const Platforms = ({ overview: { platforms, requestsToday, requestsOfLastRun } }: Props) => (
  <Section
    hint="A platform is suspended for a while if it rejects our key or our requests; then its bloggers wait."
    title="Platforms"
  >
    <Grid gap={4} templateColumns={{ base: "minmax(0, 1fr)", md: "repeat(3, minmax(0, 1fr))" }}>
      {platforms.map((health) => (
        <Box key={health.platform}>
          <Text fontWeight="semibold">
            {health.platform}{" "}
            {health.suspendedUntil ? <Tag name="Suspended" palette="red" /> : <Tag name="Working" palette="green" />}
          </Text>
          <Text fontSize="sm">{counted(health.accounts, "active account")}</Text>
          <Text fontSize="sm">
            Last fetch: <When at={health.lastFetchedAt} />
          </Text>
          <Text fontSize="sm">Requests since midnight UTC: {number(requestsToday[health.platform] ?? 0)}</Text>
          <Text fontSize="sm">Requests of the last run: {number(requestsOfLastRun[health.platform])}</Text>
          {health.suspendedUntil ? (
            <Text color="red.fg" fontSize="sm" overflowWrap="anywhere">
              Until {moment(health.suspendedUntil)}. {reasonInWords(health.reason)}
            </Text>
          ) : null}
        </Box>
      ))}
    </Grid>
  </Section>
);
