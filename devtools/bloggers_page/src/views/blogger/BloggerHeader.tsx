import { Box, Flex, Text } from "@chakra-ui/react";

import type { BloggerDetails } from "../../api/types";
import { FetchOutcome } from "../../components/FetchOutcome";
import { PlatformLink } from "../../components/PlatformLink";
import { ViewHeader } from "../../components/ViewHeader";
import { counted, number } from "../../format/numbers";
import { BloggerTags } from "../BloggerTags";
import { AddToOrganization } from "./AddToOrganization";
import { FetchNow } from "./FetchNow";

type Props = { blogger: BloggerDetails; reload: () => void };

/** Name, state, newest fetch and actions of a blogger. */
export const BloggerHeader = ({ blogger, reload }: Props) => (
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
      <FetchNow blogger={blogger} reload={reload} />
      <AddToOrganization blogger={blogger} reload={reload} />
    </Flex>
  </Box>
);
