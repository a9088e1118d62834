import { Box, Heading, Text } from "@chakra-ui/react";
import { type ReactNode, useEffect, useRef } from "react";

let firstView = true;

/** Title and purpose of a view. Takes the focus, since Airflow's UI mounts the page anew for each address. */
export const ViewHeader = ({ title, children }: { title: string; children: ReactNode }) => {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!firstView) heading.current?.focus({ preventScroll: true });
    firstView = false;
  }, []);
  return (
    <Box mb={5}>
      <Heading as="h1" outline="none" overflowWrap="anywhere" ref={heading} size="2xl" tabIndex={-1}>
        {title}
      </Heading>
      <Text color="fg.muted" maxW="80ch" mt={1}>
        {children}
      </Text>
    </Box>
  );
};
