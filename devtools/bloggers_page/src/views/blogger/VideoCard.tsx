import { Box, Button, Flex, Image, Text } from "@chakra-ui/react";
import { useId, useState } from "react";

import { api } from "../../api/client";
import type { Video } from "../../api/types";
import { PlatformLink } from "../../components/PlatformLink";
import { Tag } from "../../components/Tag";
import { When } from "../../components/When";
import { short } from "../../format/numbers";
import { day } from "../../format/times";
import { VideoStatistics } from "./VideoStatistics";

/** One video with its thumbnail and newest counts; its statistics over time on request. */
export const VideoCard = ({ video }: { video: Video }) => {
  const [shown, setShown] = useState(false);
  const id = useId();
  const counts = (["views", "likes", "comments", "reposts"] as const).filter((name) => video[name] !== null);
  return (
    <Box as="li" borderRadius="md" borderWidth="1px" gridColumn={shown ? "1 / -1" : undefined} minW={0} overflow="hidden">
      <Thumbnail video={video} />
      <Box p={3}>
        <Text fontSize="sm" fontWeight="semibold" lineClamp={2} overflowWrap="anywhere">
          <PlatformLink href={video.url}>{video.title || "Video without a title"}</PlatformLink>
        </Text>
        <Text color="fg.muted" fontSize="xs">
          {video.publishedAt ? `Published ${day(video.publishedAt)}` : "Publication date unknown"}
        </Text>
        {video.removedAt ? <Tag name={`Removed, seen ${day(video.removedAt)}`} palette="orange" /> : null}
        <Flex columnGap={3} fontSize="sm" mt={1} wrap="wrap">
          {counts.map((name) => (
            <Text as="span" key={name}>
              {short(video[name])} {name}
            </Text>
          ))}
          {counts.length === 0 ? <Text color="fg.muted">No numbers yet</Text> : null}
        </Flex>
        {video.capturedAt ? (
          <Text color="fg.muted" fontSize="xs">
            Read <When at={video.capturedAt} />
          </Text>
        ) : null}
        <Button aria-controls={id} aria-expanded={shown} mt={2} onClick={() => setShown(!shown)} size="xs" variant="outline">
          {shown ? "Hide statistics" : "Statistics"}
        </Button>
        <Box id={id} mt={shown ? 2 : 0}>
          {shown ? <VideoStatistics video={video} /> : null}
        </Box>
      </Box>
    </Box>
  );
};

const Thumbnail = ({ video }: { video: Video }) => {
  const [broken, setBroken] = useState(false);
  if (!video.hasThumbnail || broken) {
    return (
      <Flex align="center" aspectRatio="16 / 9" bg="bg.muted" color="fg.muted" fontSize="xs" justify="center" maxH="12rem" width="full">
        No thumbnail
      </Flex>
    );
  }
  return (
    <Image
      alt=""
      aspectRatio="16 / 9"
      bg="bg.muted"
      fit="contain"
      loading="lazy"
      maxH="12rem"
      onError={() => setBroken(true)}
      src={api.thumbnailAddress(video.id)}
      width="full"
    />
  );
};
