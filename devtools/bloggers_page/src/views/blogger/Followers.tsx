import { Text } from "@chakra-ui/react";

import type { BloggerDetails, Tracked } from "../../api/types";
import { type Column, DataTable } from "../../components/DataTable";
import { Section } from "../../components/Section";
import { Tag } from "../../components/Tag";
import { number } from "../../format/numbers";
import { reasonInWords, trackedState } from "../../format/words";

const COLUMNS: Column<Tracked>[] = [
  { title: "Organization", cell: (tracked) => tracked.organization.name },
  { title: "State", cell: (tracked) => <Tag {...trackedState(tracked)} /> },
  {
    title: "Videos a run",
    cell: (tracked) => (tracked.dailyVideosCount === null ? "as the organization" : number(tracked.dailyVideosCount)),
    end: true,
  },
  { title: "First fetch", cell: (tracked) => reasonInWords(tracked.initialReason) ?? (tracked.isPending ? "waits" : "done") },
];

/** Organizations that follow a blogger. */
export const Followers = ({ blogger }: { blogger: BloggerDetails }) => (
  <Section hint="Each pays for the videos that it asks for." title="Followed by">
    {blogger.tracked.length ? (
      <DataTable
        caption="Organizations that follow the blogger"
        columns={COLUMNS}
        rowKey={(tracked) => tracked.trackingId}
        rows={blogger.tracked}
      />
    ) : (
      <Text>No organization follows this blogger, so nothing is fetched. Add the blogger to an organization.</Text>
    )}
  </Section>
);
