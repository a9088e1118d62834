import { Button, Flex, Text } from "@chakra-ui/react";

import { number } from "../format/numbers";
import { lastPage, previousPage } from "../format/pages";

type Props = { page: number; total: number; onPage: (page: number) => void };

/** Buttons between the pages of a list; nothing if there is one page. */
export const Pager = ({ page, total, onPage }: Props) => {
  const last = lastPage(total);
  if (last === 1) return null;
  return (
    <Flex align="center" aria-label="Pages" as="nav" gap={3} mt={3} wrap="wrap">
      <Button disabled={page <= 1} onClick={() => onPage(previousPage(page, total))} size="sm" variant="outline">
        Previous
      </Button>
      <Text aria-live="polite" fontSize="sm">
        Page {number(page)} of {number(last)} ({number(total)} in all)
      </Text>
      <Button disabled={page >= last} onClick={() => onPage(page + 1)} size="sm" variant="outline">
        Next
      </Button>
    </Flex>
  );
};
