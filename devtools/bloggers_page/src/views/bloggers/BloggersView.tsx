import { Box, Stack, Text } from "@chakra-ui/react";

import { api } from "../../api/client";
import type { Blogger } from "../../api/types";
import { Sparkline } from "../../charts/Sparkline";
import { type Column, DataTable } from "../../components/DataTable";
import { EmptyPage } from "../../components/EmptyPage";
import { FetchOutcome } from "../../components/FetchOutcome";
import { Loaded } from "../../components/Loaded";
import { Pager } from "../../components/Pager";
import { RouteLink } from "../../components/RouteLink";
import { ViewHeader } from "../../components/ViewHeader";
import { number, short } from "../../format/numbers";
import { pageOf } from "../../format/pages";
import { useResource } from "../../hooks/useResource";
import { useSearchState } from "../../hooks/useSearchState";
import { useTotal } from "../../hooks/useTotal";
import { paths } from "../../paths";
import { BloggerTags } from "../BloggerTags";
import { BloggerFilters } from "./BloggerFilters";

const COLUMNS: Column<Blogger>[] = [
  {
    title: "Blogger",
    cell: (blogger) => (
      <>
        <RouteLink fontWeight="semibold" to={paths.blogger(blogger.id)}>
          {blogger.channelName || blogger.username}
        </RouteLink>
        <Text color="fg.muted" fontSize="xs">
          {blogger.platform} · {blogger.username}
        </Text>
      </>
    ),
  },
  { title: "State", cell: (blogger) => <BloggerTags blogger={blogger} /> },
  { title: "Followers", cell: (blogger) => <FollowersOf blogger={blogger} />, end: true },
  { title: "Videos", cell: (blogger) => number(blogger.videos), end: true },
  {
    title: "Followed by",
    cell: (blogger) => blogger.organizations.map((organization) => organization.name).join(", ") || "nobody now",
  },
  { title: "Last fetch", cell: (blogger) => <FetchOutcome fetch={blogger.lastFetch} /> },
  {
    title: "Views of the 20 newest videos",
    cell: (blogger) => (
      <Sparkline
        label={`Total views of the 20 newest videos of ${blogger.username}, last 30 days`}
        points={blogger.views}
      />
    ),
  },
];

const FollowersOf = ({ blogger: { username, followers, followerCounts } }: { blogger: Blogger }) => (
  <>
    {short(followers)}
    {followerCounts.length < 2 ? null : (
      <Box>
        <Sparkline label={`Followers of ${username}, last 30 days`} points={followerCounts} />
      </Box>
    )}
  </>
);

/** List of bloggers; its filters, order and page are in the address. */
export const BloggersView = () => {
  const [values, change] = useSearchState();
  const page = pageOf(values.get("page"));
  const names = ["search", "organization", "platform", "state", "sort"] as const;
  const query = { ...Object.fromEntries(names.map((name) => [name, values.get(name)])), page };
  const bloggers = useResource(`bloggers ${JSON.stringify(query)}`, (signal) => api.bloggers(query, signal), {
    everySeconds: 60,
  });
  const shown = useTotal(bloggers.data);
  const toPage = (wanted: number) => change({ page: String(wanted) });
  const filtered = names.some((name) => name !== "sort" && values.get(name));
  return (
    <>
      <ViewHeader title="Bloggers">
        Creators whose videos are fetched. A blogger whom several organizations follow is fetched once for all of them. The
        time of the last fetch links to the task that ran the fetch, as long as Airflow keeps the run.
      </ViewHeader>
      <Stack gap={4}>
        <BloggerFilters change={change} values={values} />
        <Loaded lines={10} resource={bloggers}>
          {({ total, items }) =>
            items.length ? (
              <DataTable caption="Bloggers" columns={COLUMNS} rowKey={(blogger) => blogger.id} rows={items} />
            ) : (
              <EmptyPage onPage={toPage} total={total}>
                {filtered ? "No blogger matches these filters. Remove one of them." : "There are no bloggers yet. "}
                {filtered ? null : <RouteLink to={paths.add}>Add the first one.</RouteLink>}
              </EmptyPage>
            )
          }
        </Loaded>
        <Pager onPage={toPage} page={page} total={shown} />
      </Stack>
    </>
  );
};
