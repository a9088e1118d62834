import { Text } from "@chakra-ui/react";

import { api } from "../../api/client";
import type { Dag } from "../../api/types";
import { Loaded } from "../../components/Loaded";
import { RouteLink } from "../../components/RouteLink";
import { Section } from "../../components/Section";
import { countdown, moment } from "../../format/times";
import { useNow } from "../../hooks/useNow";
import { useResource } from "../../hooks/useResource";

/** Time that is left until the next batch run. */
export const NextRun = () => {
  const dag = useResource("dag", api.batchDag, { everySeconds: 60 });
  return (
    <Section title="Next run">
      <Loaded lines={1} resource={dag}>
        {(data) => <Countdown dag={data} />}
      </Loaded>
    </Section>
  );
};

const Countdown = ({ dag }: { dag: Dag }) => {
  const now = useNow(1);
  const link = <RouteLink to="/dags/blogger_batch_fetch">blogger_batch_fetch</RouteLink>;
  if (dag.is_paused) return <Text>The DAG {link} is paused, so nothing is fetched by itself. Unpause the DAG to start.</Text>;
  if (dag.next_dagrun_run_after === null) return <Text>No run of {link} is scheduled.</Text>;
  const left = countdown(dag.next_dagrun_run_after, now);
  return (
    <Text>
      <Text as="span" fontSize="2xl" fontVariantNumeric="tabular-nums" fontWeight="semibold" role="timer">
        {left ?? "Now:"}
      </Text>{" "}
      {left ? "until the run of " : "starts the run of "}
      {link} on {moment(dag.next_dagrun_run_after)}
    </Text>
  );
};
