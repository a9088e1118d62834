import { Button, Field, Flex, Stack, Text, Textarea } from "@chakra-ui/react";
import { type FormEvent, useState } from "react";
import { useSearchParams } from "react-router-dom";

import { PLATFORMS, type Platform } from "../../api/types";
import { Choice } from "../../components/Choice";
import { Message } from "../../components/Message";
import { OrganizationChoice } from "../../components/OrganizationChoice";
import { ResourceError } from "../../components/ResourceError";
import { ViewHeader } from "../../components/ViewHeader";
import { MOST_LINES, parseLines } from "../../format/lines";
import { counted } from "../../format/numbers";
import { useMe } from "../../hooks/useMe";
import { Additions } from "./Additions";
import { useAdditions } from "./useAdditions";

/** Form that makes an organization follow one blogger or many. */
export const AddView = () => {
  const [parameters] = useSearchParams();
  const [organization, setOrganization] = useState(parameters.get("organization") ?? "");
  const [platform, setPlatform] = useState<Platform>("TikTok");
  const [pasted, setPasted] = useState("");
  const me = useMe();
  const mayAct = me.data?.mayAct;
  const additions = useAdditions();

  const lines = parseLines(pasted, platform);
  const usable = lines.filter((line) => line.problem === null).length;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    additions.start(lines, organization);
  };
  return (
    <>
      <ViewHeader title="Add bloggers">
        Each blogger is looked up on the platform and then followed for the organization. The first videos are fetched right
        away and charged to the organization’s subscription.
      </ViewHeader>
      <Stack gap={5}>
        <ResourceError resource={me} what="rights of your login" />
        {mayAct === false ? (
          <Message palette="orange" title="You may look, but not add bloggers">
            Your Airflow role may not trigger runs. Ask an administrator for a role that may.
          </Message>
        ) : null}
        <Stack as="form" gap={4} maxW="3xl" onSubmit={submit}>
          <OrganizationChoice none="Choose an organization" onChange={setOrganization} value={organization} />
          <Flex>
            <Choice
              label="Platform for lines that name none"
              onChange={(value) => setPlatform(value as Platform)}
              options={PLATFORMS.map((name) => [name, name] as const)}
              value={platform}
            />
          </Flex>
          <Field.Root>
            <Field.Label>Bloggers, one a line</Field.Label>
            <Textarea
              fontFamily="mono"
              onChange={(event) => setPasted(event.currentTarget.value)}
              placeholder={"@name\nInstagram name\nhttps://www.youtube.com/@name"}
              rows={6}
              spellCheck={false}
              value={pasted}
            />
            <Field.HelperText color="fg.muted">
              A name, a platform and a name, or the address of a profile. Up to {MOST_LINES} lines.
            </Field.HelperText>
          </Field.Root>
          <Flex align="center" gap={3} wrap="wrap">
            <Button
              disabled={!mayAct || organization === "" || usable === 0 || additions.running}
              loading={additions.running}
              type="submit"
            >
              {usable === 0 ? "Add" : `Add ${counted(usable, "blogger")}`}
            </Button>
            {usable > 0 && organization === "" ? <Text>Choose the organization that follows them.</Text> : null}
          </Flex>
        </Stack>
        <Additions additions={additions} />
      </Stack>
    </>
  );
};
