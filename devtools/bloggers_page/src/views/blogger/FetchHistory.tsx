import { Text } from "@chakra-ui/react";
import { useState } from "react";

import { api } from "../../api/client";
import type { LedgerFetch } from "../../api/types";
import { type Column, DataTable } from "../../components/DataTable";
import { EmptyPage } from "../../components/EmptyPage";
import { FetchOutcome } from "../../components/FetchOutcome";
import { Loaded } from "../../components/Loaded";
import { Pager } from "../../components/Pager";
import { Section } from "../../components/Section";
import { number } from "../../format/numbers";
import { reasonInWords } from "../../format/words";
import { useResource } from "../../hooks/useResource";
import { useTotal } from "../../hooks/useTotal";

const HINT =
  "Every fetch, what it cost, and who paid. The time links to the task that ran the fetch, as long as Airflow keeps the run.";

const COLUMNS: Column<LedgerFetch>[] = [
  { title: "Outcome", cell: (fetch) => <FetchOutcome fetch={fetch} /> },
  { title: "Asked for", cell: (fetch) => number(fetch.target), end: true },
  { title: "Returned", cell: (fetch) => number(fetch.videosReturned), end: true },
  { title: "New", cell: (fetch) => number(fetch.videosNew), end: true },
  { title: "Attempts", cell: (fetch) => number(fetch.attempts), end: true },
  {
    title: "Requests",
    cell: (fetch) =>
      Object.entries(fetch.requests)
        .filter(([, count]) => count > 0)
        .map(([purpose, count]) => `${number(count)} ${purpose}`)
        .join(", ") || "none",
  },
  { title: "Charged to", cell: (fetch) => <Charges fetch={fetch} /> },
];

const Charges = ({ fetch }: { fetch: LedgerFetch }) =>
  fetch.allocations.map(({ organization, asked, granted, charged, reason }) => {
    const words = reasonInWords(reason);
    return (
      <Text fontSize="sm" key={organization.id}>
        {organization.name}: asked for {number(asked)}, granted {number(granted)}, charged {number(charged)}{words ? `. ${words}` : ""}
      </Text>
    );
  });

type Props = { bloggerId: string; version: string };

/** Fetches of a blogger in the ledger, the newest first. */
export const FetchHistory = ({ bloggerId, version }: Props) => {
  const [page, setPage] = useState(1);
  const fetches = useResource(`fetches ${bloggerId} ${page}`, (signal) => api.fetches(bloggerId, page, signal), {
    version,
  });
  const shown = useTotal(fetches.data);
  return (
    <Section hint={HINT} title="Fetches">
      <Loaded resource={fetches}>
        {({ total, items }) =>
          items.length ? (
            <DataTable caption="Fetches" columns={COLUMNS} rowKey={(fetch) => fetch.fetchId} rows={items} />
          ) : (
            <EmptyPage onPage={setPage} total={total}>
              No fetch yet. Press “Fetch now”, or wait for the next run.
            </EmptyPage>
          )
        }
      </Loaded>
      <Pager onPage={setPage} page={page} total={shown} />
    </Section>
  );
};
