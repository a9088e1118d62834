import { Button, Stack, Text } from "@chakra-ui/react";

import { type Column, DataTable } from "../../components/DataTable";
import { Message } from "../../components/Message";
import { RouteLink } from "../../components/RouteLink";
import { Section } from "../../components/Section";
import { Tag } from "../../components/Tag";
import { counted, number } from "../../format/numbers";
import { countdown } from "../../format/times";
import type { Palette } from "../../format/words";
import { useNow } from "../../hooks/useNow";
import { paths } from "../../paths";
import type { LineResult, LineState, useAdditions } from "./useAdditions";

const STATES: Record<LineState, { name: string; palette: Palette }> = {
  waiting: { name: "Waiting", palette: "gray" },
  adding: { name: "Looking up", palette: "blue" },
  added: { name: "Added", palette: "green" },
  known: { name: "Followed already", palette: "teal" },
  refused: { name: "Not added", palette: "red" },
};

type Row = LineResult & { position: number };

const COLUMNS: Column<Row>[] = [
  { title: "Line", cell: (row) => number(row.position) },
  {
    title: "Blogger",
    cell: (row) => (row.bloggerId ? <RouteLink to={paths.blogger(row.bloggerId)}>{row.username}</RouteLink> : row.text),
  },
  { title: "Platform", cell: (row) => row.platform },
  { title: "Result", cell: (row) => <Tag {...STATES[row.state]} /> },
  { title: "Details", cell: (row) => row.detail },
];

/** Results of the lines of a list; nothing before it is sent. */
export const Additions = ({ additions }: { additions: ReturnType<typeof useAdditions> }) => {
  const { results, running, stopped } = additions;
  if (results.length === 0) return null;
  const count = (state: LineState) => results.filter((result) => result.state === state).length;
  return (
    <Section title="Results">
      <Stack gap={3}>
        <Text role="status">
          {counted(count("added"), "blogger")} added, {number(count("known"))} followed already,{" "}
          {number(count("refused"))} not added, {number(count("waiting") + count("adding"))} to come.
        </Text>
        {running ? <Message palette="blue" title="Stay on this page until all lines are sent." /> : null}
        {stopped ? <Stop {...stopped} resume={additions.resume} waiting={count("waiting")} /> : null}
        <DataTable
          caption="Results"
          columns={COLUMNS}
          rowKey={(row) => row.position}
          rows={results.map((result, index) => ({ ...result, position: index + 1 }))}
        />
      </Stack>
    </Section>
  );
};

type StopProps = { reasons: string[]; continueAt: Date; waiting: number; resume: () => void };

const Stop = ({ reasons, continueAt, waiting, resume }: StopProps) => {
  const now = useNow(1);
  const left = continueAt > now ? countdown(continueAt.toISOString(), now) : null;
  return (
    <Message palette="orange" role="alert" title={`Stopped before the end: ${counted(waiting, "line")} not sent yet`}>
      {reasons.map((reason) => (
        <Text key={reason}>{reason}</Text>
      ))}
      <Button disabled={left !== null} display="block" mt={2} onClick={resume} size="sm" variant="outline">
        {left === null ? "Continue" : `Continue in ${left}`}
      </Button>
    </Message>
  );
};
