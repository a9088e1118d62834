import { Box, Grid, Stack, Text } from "@chakra-ui/react";

import { PLATFORMS, type Run } from "../../api/types";
import { Message } from "../../components/Message";
import { outcomeParts } from "../../components/outcomeParts";
import { RouteLink } from "../../components/RouteLink";
import { Section } from "../../components/Section";
import { StackedBar } from "../../components/StackedBar";
import { When } from "../../components/When";
import { moment } from "../../format/times";
import { paths } from "../../paths";

/** The newest batch runs with the outcomes of their fetches. */
export const LastRuns = ({ runs }: { runs: Run[] }) => (
  <Section hint="Outcomes of each run’s fetches by platform, one fetch for each blogger." title="Last runs">
    {runs.length === 0 ? (
      <Text>
        No run yet. Wait for the next run, or trigger the DAG{" "}
        <RouteLink to="/dags/blogger_batch_fetch">blogger_batch_fetch</RouteLink> by hand.
      </Text>
    ) : (
      <Stack as="ol" gap={5} listStyleType="none">
        {runs.map((run) => (
          <RunOutcomes key={run.runId} run={run} />
        ))}
      </Stack>
    )}
  </Section>
);

const RunOutcomes = ({ run }: { run: Run }) => (
  <Box as="li">
    <Text mb={1} overflowWrap="anywhere">
      <RouteLink title={run.dagRunId} to={paths.dagRun("blogger_batch_fetch", run.dagRunId)}>
        Run of {moment(run.plannedAt)}
      </RouteLink>
      {run.endedAt ? <>, ended <When at={run.endedAt} /></> : ", not ended yet"}
    </Text>
    {run.problems.length ? (
      <Box mb={2}>
        <Message palette="red" title="This run failed">
          {run.problems.map((problem) => (
            <Text key={problem}>{problem}</Text>
          ))}
        </Message>
      </Box>
    ) : null}
    <Grid gap={4} templateColumns={{ base: "minmax(0, 1fr)", md: "repeat(3, minmax(0, 1fr))" }}>
      {PLATFORMS.map((platform) => {
        const tally = run.platforms[platform];
        return tally ? (
          <Box key={platform} minW={0}>
            <Text fontSize="sm">{platform}</Text>
            <StackedBar label={`${platform}, outcomes`} parts={outcomeParts(tally)} />
          </Box>
        ) : null;
      })}
    </Grid>
  </Box>
);
