import { Box, Flex, Text } from "@chakra-ui/react";

import type { Fetch } from "../api/types";
import { fetchState, reasonInWords } from "../format/words";
import { taskInstancePath } from "../paths";
import { RouteLink } from "./RouteLink";
import { Tag } from "./Tag";
import { When } from "./When";

/** State of a fetch with its time, its reason, and a link to the task instance if this Airflow ran the fetch. */
export const FetchOutcome = ({ fetch }: { fetch: Fetch | null }) => {
  if (fetch === null) return <Text color="fg.muted">Not fetched yet</Text>;
  const { name, palette, meaning } = fetchState(fetch.state);
  const reason = reasonInWords(fetch.reason) ?? (fetch.state === "succeeded" ? null : meaning);
  return (
    <Box minW={0}>
      <Flex align="center" columnGap={2} wrap="wrap">
        <Tag name={name} palette={palette} title={meaning} />
        {fetch.isHere ? (
          <RouteLink fontSize="sm" to={taskInstancePath(fetch)}>
            <When at={fetch.finishedAt ?? fetch.plannedAt} />
          </RouteLink>
        ) : (
          <When at={fetch.finishedAt ?? fetch.plannedAt} fontSize="sm" />
        )}
      </Flex>
      {reason ? (
        <Text color="fg.muted" fontSize="xs" maxW="48ch" overflowWrap="anywhere">
          {reason}
        </Text>
      ) : null}
    </Box>
  );
};
