import { Box, Text } from "@chakra-ui/react";
import { useEffect } from "react";

import { api } from "../../api/client";
import type { DagRun } from "../../api/types";
import { ResourceError } from "../../components/ResourceError";
import { RouteLink } from "../../components/RouteLink";
import { useResource } from "../../hooks/useResource";
import { paths } from "../../paths";
import { hasEnded, runText } from "./runTexts";

const POLL_SECONDS = 3;
const A_DAY = 86_400;

type Props = { bloggerId: string; dagRunId: string; reload: () => void };

/** State of a run that was triggered for one blogger; the blogger is read again when the run ends. */
export const TriggeredRun = ({ bloggerId, dagRunId, reload }: Props) => {
  const everySeconds = (run: DagRun | undefined) => (hasEnded(run?.state) ? A_DAY : POLL_SECONDS);
  const run = useResource(`run ${dagRunId}`, (signal) => api.batchRun(dagRunId, signal), { everySeconds });
  const state = run.error ? undefined : run.data?.state;
  const ended = hasEnded(run.data?.state);
  useEffect(() => {
    if (ended) reload();
  }, [ended, reload]);
  // The blogger's newest fetch is another one until the blogger is read again, so the run is looked for by its id.
  const fetches = useResource(`fetches of ${dagRunId}, ${ended}`, async (signal) =>
    ended ? api.fetches(bloggerId, 1, signal) : undefined,
  );
  const fetched = fetches.data?.items.some((fetch) => fetch.isHere && fetch.dagRunId === dagRunId);
  return (
    <Box mt={1}>
      <Text fontSize="sm" overflowWrap="anywhere" role="status">
        <RouteLink to={paths.dagRun("blogger_batch_fetch", dagRunId)}>{dagRunId}</RouteLink> {runText(state, fetched)}
      </Text>
      <ResourceError resource={run} what="state of the run" />
      <ResourceError resource={fetches} what="fetch of the run" />
    </Box>
  );
};
