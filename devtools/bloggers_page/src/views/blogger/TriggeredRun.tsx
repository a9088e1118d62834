import { Text } from "@chakra-ui/react";
import { useEffect } from "react";

import { api } from "../../api/client";
import type { BloggerDetails, DagRun } from "../../api/types";
import { RouteLink } from "../../components/RouteLink";
import { useResource } from "../../hooks/useResource";
import { paths } from "../../paths";

const ENDED = new Set(["success", "failed"]);
const POLL_SECONDS = 3;
const A_DAY = 86_400;

type Props = { blogger: BloggerDetails; dagRunId: string; reload: () => void };

/** State of a run that was triggered for one blogger; the blogger is read again when the run ends. */
export const TriggeredRun = ({ blogger, dagRunId, reload }: Props) => {
  const everySeconds = (run: DagRun | undefined) => (run && ENDED.has(run.state) ? A_DAY : POLL_SECONDS);
  const run = useResource(`run ${dagRunId}`, (signal) => api.batchRun(dagRunId, signal), { everySeconds }).data;
  const ended = run !== undefined && ENDED.has(run.state);
  useEffect(() => {
    if (ended) reload();
  }, [ended, reload]);
  return (
    <Text fontSize="sm" mt={1} overflowWrap="anywhere" role="status">
      <RouteLink to={paths.dagRun("blogger_batch_fetch", dagRunId)}>{dagRunId}</RouteLink>{" "}
      {ended ? outcome(blogger, dagRunId) : "fetches the blogger now. The result appears here by itself."}
    </Text>
  );
};

function outcome(blogger: BloggerDetails, dagRunId: string): string {
  if (blogger.lastFetch?.dagRunId === dagRunId) return "has ended. Its fetch is the newest below.";
  return (
    "has ended without a fetch of this blogger: no organization that follows the blogger has videos left, or another " +
    "run is fetching the blogger. The next run’s plan of each organization says why."
  );
}
