import { Box, Stack, Table, useBreakpointValue } from "@chakra-ui/react";
import type { ReactNode } from "react";

export type Column<T> = { title: string; cell: (row: T) => ReactNode; end?: boolean };

type Props<T> = { caption: string; columns: Column<T>[]; rows: T[]; rowKey: (row: T) => string | number };

/** Table; on a narrow screen a list of cards with a name before each value. */
export const DataTable = <T,>(props: Props<T>) => {
  const wide = useBreakpointValue({ base: false, md: true }, { ssr: false });
  return wide === false ? <Cards {...props} /> : <Rows {...props} />;
};

const Rows = <T,>({ caption, columns, rows, rowKey }: Props<T>) => (
  <Box aria-label={`Table: ${caption}`} overflowX="auto" role="region" tabIndex={0}>
    <Table.Root aria-label={caption} size="sm">
      <Table.Header>
        <Table.Row bg="transparent">
          {columns.map((column) => (
            <Table.ColumnHeader key={column.title} scope="col" textAlign={column.end ? "end" : "start"}>
              {column.title}
            </Table.ColumnHeader>
          ))}
        </Table.Row>
      </Table.Header>
      <Table.Body>
        {rows.map((row) => (
          <Table.Row bg="transparent" key={rowKey(row)}>
            {columns.map((column) => (
              <Table.Cell key={column.title} textAlign={column.end ? "end" : "start"} verticalAlign="top">
                {column.cell(row)}
              </Table.Cell>
            ))}
          </Table.Row>
        ))}
      </Table.Body>
    </Table.Root>
  </Box>
);

const Cards = <T,>({ caption, columns, rows, rowKey }: Props<T>) => (
  <Stack aria-label={caption} as="ul" gap={3} listStyleType="none">
    {rows.map((row) => (
      <Box as="li" borderRadius="md" borderWidth="1px" key={rowKey(row)} p={3}>
        <Box as="dl" columnGap={3} display="grid" gridTemplateColumns="7.5rem minmax(0, 1fr)" rowGap={1}>
          {columns.map((column) => (
            <Box display="contents" key={column.title}>
              <Box as="dt" color="fg.muted" fontSize="sm">
                {column.title}
              </Box>
              <Box as="dd" minW={0} overflowWrap="anywhere">
                {column.cell(row)}
              </Box>
            </Box>
          ))}
        </Box>
      </Box>
    ))}
  </Stack>
);
