import { Grid, Stack } from "@chakra-ui/react";
import { useParams } from "react-router-dom";

import { api } from "../../api/client";
import { Loaded } from "../../components/Loaded";
import { RouteLink } from "../../components/RouteLink";
import { useResource } from "../../hooks/useResource";
import { paths } from "../../paths";
import { BloggerHeader } from "./BloggerHeader";
import { FetchHistory } from "./FetchHistory";
import { FollowerCounts } from "./FollowerCounts";
import { Followers } from "./Followers";
import { StateHistory } from "./StateHistory";
import { Totals } from "./Totals";
import { Videos } from "./Videos";

/** Everything about one blogger. */
export const BloggerView = () => {
  const { bloggerId = "" } = useParams();
  const blogger = useResource(`blogger ${bloggerId}`, (signal) => api.blogger(bloggerId, signal), { everySeconds: 10 });
  const newestFetch = blogger.data?.lastFetch;
  // Lists are loaded again as soon as another fetch has ended.
  const version = `${newestFetch?.fetchId ?? ""} ${newestFetch?.state ?? ""} ${blogger.data?.videos ?? ""}`;
  return (
    <Stack gap={4}>
      <RouteLink alignSelf="start" fontSize="sm" to={paths.bloggers}>
        All bloggers
      </RouteLink>
      <Loaded lines={8} resource={blogger}>
        {(details) => (
          <Stack gap={4}>
            <BloggerHeader blogger={details} reload={blogger.reload} />
            <Grid alignItems="start" gap={4} templateColumns={{ base: "minmax(0, 1fr)", lg: "minmax(0, 2fr) minmax(0, 1fr)" }}>
              <Totals bloggerId={bloggerId} version={version} />
              <Followers blogger={details} />
            </Grid>
            <Videos blogger={details} version={version} />
            <FollowerCounts counts={details.followerCounts} />
            <FetchHistory bloggerId={bloggerId} version={version} />
            <StateHistory changes={details.history} />
          </Stack>
        )}
      </Loaded>
    </Stack>
  );
};
