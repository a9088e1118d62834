import { Button, Stack, Text } from "@chakra-ui/react";
import { useId, useState } from "react";

import { api } from "../../api/client";
import { asApiError } from "../../api/errors";
import type { BloggerDetails } from "../../api/types";
import { Message } from "../../components/Message";
import { OrganizationChoice } from "../../components/OrganizationChoice";
import { additionProblem, firstVideos } from "../add/additionRules";

type Outcome = { succeeded: boolean; text: string };
type Props = { blogger: BloggerDetails; mayAct: boolean | undefined; reload: () => void };

/** Button with a form that makes another organization follow the blogger. */
export const AddToOrganization = ({ blogger, mayAct, reload }: Props) => {
  const formId = useId();
  const [shown, setShown] = useState(false);
  const [organization, setOrganization] = useState("");
  const [sending, setSending] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();

  const add = async () => {
    setSending(true);
    setOutcome(undefined);
    try {
      const { initialFetch } = await api.addBlogger(organization, blogger.platform, blogger.username);
      setOutcome({ succeeded: true, text: `Added. ${firstVideos(initialFetch.state)}` });
      reload();
    } catch (problem) {
      setOutcome({ succeeded: false, text: additionProblem(asApiError(problem), "Add again") });
    } finally {
      setSending(false);
    }
  };
  return (
    <Stack align="start" gap={2}>
      <Button
        aria-controls={formId}
        aria-expanded={shown}
        disabled={!mayAct}
        onClick={() => setShown(!shown)}
        size="sm"
        variant="outline"
      >
        Add to organization
      </Button>
      {mayAct === false ? (
        <Text color="fg.muted" fontSize="sm">
          Your Airflow role may look, but not add bloggers.
        </Text>
      ) : null}
      <div id={formId}>
        {shown ? (
          <Stack align="start" gap={2}>
            <OrganizationChoice none="Choose an organization" onChange={setOrganization} value={organization} />
            <Button disabled={organization === ""} loading={sending} onClick={() => void add()} size="sm">
              Add
            </Button>
          </Stack>
        ) : null}
      </div>
      {outcome ? (
        <Message
          palette={outcome.succeeded ? "green" : "red"}
          role={outcome.succeeded ? "status" : "alert"}
          title={outcome.text}
        />
      ) : null}
    </Stack>
  );
};
