import { Flex } from "@chakra-ui/react";

import type { Blogger } from "../api/types";
import { Tag } from "../components/Tag";
import { day } from "../format/times";
import { accountState } from "../format/words";

/** States of a blogger: that of the account on its platform, and whether the blogger is fetched. */
export const BloggerTags = ({ blogger }: { blogger: Blogger }) => {
  const { name, palette } = accountState(blogger.accountState);
  const since = blogger.accountStateSince ? { title: `Since ${day(blogger.accountStateSince)}` } : {};
  return (
    <Flex gap={1} wrap="wrap">
      <Tag name={name} palette={palette} {...since} />
      {blogger.isActive ? null : <Tag name="Paused" palette="gray" title="No organization has this blogger active." />}
      {blogger.isPending ? <Tag name="First fetch pending" palette="blue" /> : null}
    </Flex>
  );
};
