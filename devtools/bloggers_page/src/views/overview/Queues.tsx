import { Code, Stack, Text } from "@chakra-ui/react";

import type { QueueDepth } from "../../api/types";
import { Section } from "../../components/Section";
import { When } from "../../components/When";
import { number } from "../../format/numbers";
import { spaced } from "../../format/words";

const HINT = (
  <>
    Work after a fetch. A parked message failed too often; the command <Code>requeue</Code> tries it again.
  </>
);

/** Messages that wait in each queue, and those that are not tried any more. */
export const Queues = ({ queues }: { queues: QueueDepth[] }) => (
  <Section hint={HINT} title="Queues">
    <Stack gap={2}>
      {queues.map((queue) => (
        <Text fontSize="sm" key={queue.queue}>
          {spaced(queue.queue)}: {number(queue.waiting)} waiting
          {queue.oldestAt ? <>, oldest <When at={queue.oldestAt} /></> : null},{" "}
          <Text as="span" color={queue.parked > 0 ? "red.fg" : "fg"}>
            {number(queue.parked)} parked
          </Text>
        </Text>
      ))}
      {queues.length === 0 ? <Text>No queue has messages.</Text> : null}
    </Stack>
  </Section>
);
