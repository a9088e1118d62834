import { Stack, Text } from "@chakra-ui/react";

import type { AccountChange } from "../../api/types";
import { Section } from "../../components/Section";
import { Tag } from "../../components/Tag";
import { day } from "../../format/times";
import { accountState, reasonInWords } from "../../format/words";

/** Changes of a blogger's state and name; nothing if there were none. */
export const StateHistory = ({ changes }: { changes: AccountChange[] }) =>
  changes.length === 0 ? null : (
    <Section title="Changes of the account">
      <Stack as="ul" gap={2} listStyleType="none">
        {changes.map((change) => {
          const { name, palette } = accountState(change.state);
          return (
            <Text as="li" key={`${change.since} ${change.state} ${change.newUsername}`} overflowWrap="anywhere">
              {day(change.since)} <Tag name={name} palette={palette} />{" "}
              {change.newUsername ? `renamed from ${change.oldUsername ?? "an unknown name"} to ${change.newUsername}. ` : ""}
              {reasonInWords(change.reason)}
            </Text>
          );
        })}
      </Stack>
    </Section>
  );
