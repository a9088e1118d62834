import { Text } from "@chakra-ui/react";

import { api } from "../../api/client";
import type { Organization, PlannedAccount } from "../../api/types";
import { type Column, DataTable } from "../../components/DataTable";
import { Loaded } from "../../components/Loaded";
import { RouteLink } from "../../components/RouteLink";
import { Tag } from "../../components/Tag";
import { counted, number } from "../../format/numbers";
import { decision, reasonInWords } from "../../format/words";
import { useResource } from "../../hooks/useResource";
import { paths } from "../../paths";

const COLUMNS: Column<PlannedAccount>[] = [
  { title: "Blogger", cell: (row) => <RouteLink to={paths.blogger(row.bloggerId)}>{row.username}</RouteLink> },
  { title: "Platform", cell: (row) => row.platform },
  {
    title: "Fetches",
    cell: (row) => {
      const { name, palette } = decision(row.decision);
      return <Tag name={name} palette={palette} />;
    },
  },
  { title: "Videos", cell: (row) => `${number(row.videos)} of ${number(row.asked)}`, end: true },
  { title: "Reason", cell: (row) => reasonInWords(row.reason) ?? "" },
];

/** Decision of the next run for each account of an organization, if the run were planned now. */
export const NextRunPlan = ({ organization }: { organization: Organization }) => {
  const plan = useResource(`plan ${organization.id}`, (signal) => api.nextRun(organization.id, signal));
  return (
    <Loaded resource={plan}>
      {(accounts) => (
        <>
          <Text fontSize="sm">
            Planned now, a run would fetch {counted(accounts.reduce((sum, row) => sum + row.videos, 0), "video")} for{" "}
            {counted(accounts.filter((row) => row.decision !== "skip").length, "account")} of {number(accounts.length)}.
          </Text>
          {accounts.length ? (
            <DataTable
              caption={`Plan of the next run for ${organization.name}`}
              columns={COLUMNS}
              rowKey={(row) => row.trackingId}
              rows={accounts}
            />
          ) : null}
        </>
      )}
    </Loaded>
  );
};
