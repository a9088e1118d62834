import { Box, Flex, Text } from "@chakra-ui/react";

import { number, percent } from "../format/numbers";
import type { Palette } from "../format/words";

export type Part = { name: string; value: number; color: Palette; faint?: boolean };

type Props = { label: string; parts: Part[]; legend?: boolean };

/** Horizontal bar of parts, with a legend in which each number can be read. */
export const StackedBar = ({ label, parts, legend = true }: Props) => {
  const shown = parts.filter((part) => part.value > 0);
  const total = shown.reduce((sum, part) => sum + part.value, 0);
  const spoken = shown.map((part) => `${part.name} ${number(part.value)}`).join(", ");
  return (
    <Box minW={0}>
      <Flex
        aria-label={`${label}: ${spoken || "nothing"}`}
        bg="bg.emphasized"
        borderRadius="sm"
        gap="1px"
        height={3}
        overflow="hidden"
        role="img"
      >
        {shown.map((part) => (
          <Box
            bg={part.faint ? `${part.color}.muted` : `${part.color}.solid`}
            key={part.name}
            minW="3px"
            title={`${part.name}: ${number(part.value)}`}
            width={`${percent(part.value, total)}%`}
          />
        ))}
      </Flex>
      {legend ? (
        <Flex aria-hidden columnGap={3} fontSize="xs" mt={1} wrap="wrap">
          {shown.map((part) => (
            <Flex align="center" gap={1} key={part.name}>
              <Box bg={part.faint ? `${part.color}.muted` : `${part.color}.solid`} borderRadius="2px" boxSize={2} />
              <Text as="span">
                {part.name} {number(part.value)}
              </Text>
            </Flex>
          ))}
        </Flex>
      ) : null}
    </Box>
  );
};
