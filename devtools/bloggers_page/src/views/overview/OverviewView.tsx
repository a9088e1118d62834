import { Grid, Stack } from "@chakra-ui/react";
import { useEffect } from "react";

import { api } from "../../api/client";
import { Loaded } from "../../components/Loaded";
import { ResourceError } from "../../components/ResourceError";
import { ViewHeader } from "../../components/ViewHeader";
import { useLive } from "../../hooks/useLive";
import { useResource } from "../../hooks/useResource";
import { LastRuns } from "./LastRuns";
import { LiveRuns } from "./LiveRuns";
import { NextRun } from "./NextRun";
import { Platforms } from "./Platforms";
import { Queues } from "./Queues";
import { RuleChecks } from "./RuleChecks";
import { Units } from "./Units";

/** State of the whole system. */
export const OverviewView = () => {
  const overview = useResource("overview", api.overview, { everySeconds: 30 });
  const live = useLive();
  const { reload } = overview;
  const running = live.data?.map((run) => run.dagRunId).join(" ");
  // The outcomes of a run appear as soon as the run has ended.
  useEffect(() => {
    if (running !== undefined) reload();
  }, [running, reload]);
  return (
    <>
      <ViewHeader title="Overview">
        Organizations follow bloggers on TikTok, Instagram and YouTube. Each batch run reads every blogger’s newest videos
        once, for all organizations that follow the blogger, and charges the videos to their subscriptions.
      </ViewHeader>
      <Stack gap={4}>
        <NextRun />
        <ResourceError resource={live} what="progress of the runs" />
        <LiveRuns runs={live.data ?? []} />
        <Loaded lines={8} resource={overview}>
          {(data) => (
            <Stack gap={4}>
              <Platforms overview={data} />
              <Grid gap={4} templateColumns={{ base: "minmax(0, 1fr)", lg: "repeat(3, minmax(0, 1fr))" }}>
                <Units {...data.youtubeUnits} />
                <Queues queues={data.queues} />
                <RuleChecks invariants={data.invariants} />
              </Grid>
              <LastRuns runs={data.runs} />
            </Stack>
          )}
        </Loaded>
      </Stack>
    </>
  );
};
