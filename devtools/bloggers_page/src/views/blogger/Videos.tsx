import { Grid } from "@chakra-ui/react";
import { useState } from "react";

import { api } from "../../api/client";
import type { BloggerDetails } from "../../api/types";
import { EmptyPage } from "../../components/EmptyPage";
import { Loaded } from "../../components/Loaded";
import { Pager } from "../../components/Pager";
import { Section } from "../../components/Section";
import { useResource } from "../../hooks/useResource";
import { useTotal } from "../../hooks/useTotal";
import { VideoCard } from "./VideoCard";

type Props = { blogger: BloggerDetails; version: string };

/** Videos of a blogger, the newest first. */
export const Videos = ({ blogger, version }: Props) => {
  const [page, setPage] = useState(1);
  const videos = useResource(`videos ${blogger.id} ${page}`, (signal) => api.videos(blogger.id, page, signal), {
    version,
  });
  const shown = useTotal(videos.data);
  return (
    <Section title="Videos">
      <Loaded lines={6} resource={videos}>
        {({ total, items }) =>
          items.length ? (
            <Grid as="ul" gap={4} gridTemplateColumns="repeat(auto-fill, minmax(min(100%, 15rem), 1fr))" listStyleType="none">
              {items.map((video) => (
                <VideoCard key={video.id} video={video} />
              ))}
            </Grid>
          ) : (
            <EmptyPage onPage={setPage} total={total}>
              No videos yet.{" "}
              {blogger.isPending ? "The first fetch brings them." : "They appear after the next fetch that finds some."}
            </EmptyPage>
          )
        }
      </Loaded>
      <Pager onPage={setPage} page={page} total={shown} />
    </Section>
  );
};
