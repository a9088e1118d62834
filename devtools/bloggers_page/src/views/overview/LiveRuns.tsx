import { Box, Grid, Stack, Text } from "@chakra-ui/react";

import type { LiveRun } from "../../api/types";
import { PLATFORMS } from "../../api/types";
import { ProgressBar } from "../../components/ProgressBar";
import { RouteLink } from "../../components/RouteLink";
import { Section } from "../../components/Section";
import { When } from "../../components/When";
import { number } from "../../format/numbers";
import { paths } from "../../paths";

/** Progress of the runs that fetch at this moment; nothing while none does. */
export const LiveRuns = ({ runs }: { runs: LiveRun[] }) =>
  runs.length ? (
    <Section hint="Renewed every 3 seconds." title="Running now">
      <Stack gap={4}>
        {runs.map((run) => (
          <RunProgress key={`${run.dagId} ${run.dagRunId}`} run={run} />
        ))}
      </Stack>
    </Section>
  ) : null;

const RunProgress = ({ run }: { run: LiveRun }) => (
  <Box>
    <Text mb={2} overflowWrap="anywhere">
      <RouteLink to={paths.dagRun(run.dagId, run.dagRunId)}>{run.dagRunId}</RouteLink>, planned{" "}
      <When at={run.plannedAt} />
    </Text>
    <Grid gap={4} templateColumns={{ base: "minmax(0, 1fr)", md: "repeat(3, minmax(0, 1fr))" }}>
      {PLATFORMS.map((platform) => {
        const progress = run.platforms[platform];
        return progress ? (
          <Box key={platform}>
            <Text fontSize="sm">
              {platform}: {number(progress.done)} of {number(progress.total)} bloggers
            </Text>
            <ProgressBar {...progress} label={`${platform}, fetched bloggers`} />
          </Box>
        ) : null;
      })}
    </Grid>
  </Box>
);
