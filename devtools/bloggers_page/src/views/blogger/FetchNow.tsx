import { Box, Button, Text } from "@chakra-ui/react";
import { useState } from "react";

import { api } from "../../api/client";
import { type ApiError, asApiError } from "../../api/errors";
import type { BloggerDetails } from "../../api/types";
import { Message } from "../../components/Message";
import { triggerProblem } from "./runTexts";
import { TriggeredRun } from "./TriggeredRun";

type Props = { blogger: BloggerDetails; mayAct: boolean | undefined; reload: () => void };

/** Button that triggers a batch run of this blogger alone, and the state of that run. */
export const FetchNow = ({ blogger, mayAct, reload }: Props) => {
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
      setError(asApiError(problem));
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
      {dagRunId ? <TriggeredRun bloggerId={blogger.id} dagRunId={dagRunId} key={dagRunId} reload={reload} /> : null}
      {error ? <Problem error={error} /> : null}
    </Box>
  );
};

const Problem = ({ error }: { error: ApiError }) => {
  const { title, text } = triggerProblem(error);
  return (
    <Message palette="red" role="alert" title={title}>
      {text}
    </Message>
  );
};
