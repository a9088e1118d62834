import { Box, Flex, Text } from "@chakra-ui/react";

import type { BloggerDetails } from "../../api/types";
import { FetchOutcome } from "../../components/FetchOutcome";
import { PlatformLink } from "../../components/PlatformLink";
import { ResourceError } from "../../components/ResourceError";
import { ViewHeader } from "../../components/ViewHeader";
import { counted, number } from "../../format/numbers";
import { useMe } from "../../hooks/useMe";
import { BloggerTags } from "../BloggerTags";
import { AddToOrganization } from "./AddToOrganization";
import { FetchNow } from "./FetchNow";

type Props = { blogger: BloggerDetails; reload: () => void };

/** Name, state, newest fetch and actions of a blogger. */
export const BloggerHeader = ({ blogger, reload }: Props) => {
  const me = useMe();
  return (
    <Box>
      <ViewHeader title={blogger.channelName || blogger.username}>
        <PlatformLink href={blogger.url}>
          {blogger.username} on {blogger.platform}
        </PlatformLink>
        {blogger.followers === null ? ". Followers are not known" : `, ${number(blogger.followers)} followers`}.{" "}
        {counted(blogger.videos, "video")} known.
      </ViewHeader>
      <Flex align="start" columnGap={8} rowGap={4} wrap="wrap">
        <Box>
          <Text color="fg.muted" fontSize="sm">
            State
          </Text>
          <BloggerTags blogger={blogger} />
        </Box>
        <Box>
          <Text color="fg.muted" fontSize="sm">
            Last fetch
          </Text>
          <FetchOutcome fetch={blogger.lastFetch} />
        </Box>
        <FetchNow blogger={blogger} mayAct={me.data?.mayAct} reload={reload} />
        <AddToOrganization blogger={blogger} mayAct={me.data?.mayAct} reload={reload} />
      </Flex>
      <ResourceError resource={me} what="rights of your login" />
    </Box>
  );
};
