import { Box, Button, Text } from "@chakra-ui/react";
import { useState } from "react";

import { api } from "../../api/client";
import { ApiError, adviceFor } from "../../api/errors";
import type { BloggerDetails } from "../../api/types";
import { Message } from "../../components/Message";
import { useMayAct } from "../../hooks/useMayAct";
import { TriggeredRun } from "./TriggeredRun";

type Props = { blogger: BloggerDetails; reload: () => void };

/** Button that triggers a batch run of this blogger alone, and the state of that run. */
export const FetchNow = ({ blogger, reload }: Props) => {
  const mayAct = useMayAct();
  const [sending, setSending] = useState(false);
  const [dagRunId, setDagRunId] = useState<string>();
  const [error, setError] = useState<ApiError>();

  const trigger = async () => {
    setSending(true);
    setError(undefined);
    try {
      setDagRunId((await api.fetchNow(blogger.id)).dag_run_id);
      reload();
    } catch (problem) {
      setError(problem instanceof ApiError ? problem : new ApiError(0, null, String(problem)));
    } finally {
      setSending(false);
    }
  };
  return (
    <Box maxW="40ch">
      <Button disabled={!mayAct} loading={sending} onClick={() => void trigger()} size="sm">
        Fetch now
      </Button>
      {mayAct === false ? (
        <Text color="fg.muted" fontSize="sm" mt={1}>
          Your Airflow role may look, but not trigger runs.
        </Text>
      ) : null}
      {dagRunId ? <TriggeredRun blogger={blogger} dagRunId={dagRunId} key={dagRunId} reload={reload} /> : null}
      {error ? (
        <Message palette="red" role="alert" title="The run was not started">
          {error.message} {adviceFor(error.status)}
        </Message>
      ) : null}
    </Box>
  );
};
