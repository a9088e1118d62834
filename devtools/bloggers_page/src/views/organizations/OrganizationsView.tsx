import { Stack } from "@chakra-ui/react";

import { api } from "../../api/client";
import { EmptyPage } from "../../components/EmptyPage";
import { Loaded } from "../../components/Loaded";
import { Pager } from "../../components/Pager";
import { SearchField } from "../../components/SearchField";
import { ViewHeader } from "../../components/ViewHeader";
import { pageOf } from "../../format/pages";
import { useResource } from "../../hooks/useResource";
import { useSearchState } from "../../hooks/useSearchState";
import { useTotal } from "../../hooks/useTotal";
import { OrganizationCard } from "./OrganizationCard";

/** Organizations with their videos of the period. */
export const OrganizationsView = () => {
  const [values, change] = useSearchState();
  const search = values.get("search") ?? "";
  const page = pageOf(values.get("page"));
  const organizations = useResource(
    `organizations ${page} ${search}`,
    (signal) => api.organizations({ search, page }, signal),
    { everySeconds: 60 },
  );
  const shown = useTotal(organizations.data);
  const toPage = (wanted: number) => change({ page: String(wanted) });
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
                <EmptyPage onPage={toPage} total={total}>
                  {search
                    ? "No organization has this name. Search for another part of the name."
                    : "There are no organizations yet. They come from the application’s own database."}
                </EmptyPage>
              ) : null}
            </Stack>
          )}
        </Loaded>
        <Pager onPage={toPage} page={page} total={shown} />
      </Stack>
    </>
  );
};
