import { Box, Button, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

type Props = { total: number; onPage: (page: number) => void; children: ReactNode };

/** Text instead of the items of a page without any: `children` if the whole list is empty. */
export const EmptyPage = ({ total, onPage, children }: Props) =>
  total === 0 ? (
    <Text>{children}</Text>
  ) : (
    <Box>
      <Text>This page is beyond the last one.</Text>
      <Button mt={2} onClick={() => onPage(1)} size="sm" variant="outline">
        Go to page 1
      </Button>
    </Box>
  );
