import { Box, Flex, Heading, Text } from "@chakra-ui/react";
import { type ReactNode, useId } from "react";

type Props = { title: string; hint?: ReactNode; aside?: ReactNode; children: ReactNode };

/** Framed part of a view. */
export const Section = ({ title, hint, aside, children }: Props) => {
  const id = useId();
  return (
    <Box aria-labelledby={id} as="section" borderRadius="md" borderWidth="1px" minW={0} p={{ base: 3, md: 4 }}>
      <Flex align="baseline" gap={3} justify="space-between" mb={hint ? 0 : 3} wrap="wrap">
        <Heading as="h2" id={id} size="md">
          {title}
        </Heading>
        {aside}
      </Flex>
      {hint ? (
        <Text color="fg.muted" fontSize="sm" mb={3}>
          {hint}
        </Text>
      ) : null}
      {children}
    </Box>
  );
};
