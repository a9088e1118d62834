import { Stack, Text } from "@chakra-ui/react";

import { api } from "../../api/client";
import { Loaded } from "../../components/Loaded";
import { Pager } from "../../components/Pager";
import { SearchField } from "../../components/SearchField";
import { ViewHeader } from "../../components/ViewHeader";
import { useResource } from "../../hooks/useResource";
import { pageOf, useSearchState } from "../../hooks/useSearchState";
import { PAGE_SIZE } from "../../api/pageSize";
import { OrganizationCard } from "./OrganizationCard";

/** Organizations with their videos of the period. */
export const OrganizationsView = () => {
  const [values, change] = useSearchState();
  const search = values.get("search") ?? "";
  const page = pageOf(values);
  const organizations = useResource(
    `organizations ${page} ${search}`,
    (signal) => api.organizations({ search, page }, signal),
    { everySeconds: 60 },
  );
  return (
    <>
      <ViewHeader title="Organizations">
        An organization is a customer. Its subscription allows a number of videos in a period and a number of bloggers. Each
        fetched video is charged once; a running fetch reserves its videos beforehand.
      </ViewHeader>
      <Stack gap={4}>
        <SearchField label="Search by name" onChange={(text) => change({ search: text })} value={search} />
        <Loaded lines={6} resource={organizations}>
          {({ total, items }) => (
            <Stack gap={4}>
              {items.map((organization) => (
                <OrganizationCard key={organization.id} organization={organization} />
              ))}
              {items.length === 0 ? (
                <Text>
                  {search
                    ? "No organization has this name. Search for another part of the name."
                    : "There are no organizations yet. They come from the application’s own database."}
                </Text>
              ) : null}
              <Pager onPage={(wanted) => change({ page: String(wanted) })} page={page} size={PAGE_SIZE} total={total} />
            </Stack>
          )}
        </Loaded>
      </Stack>
    </>
  );
};
