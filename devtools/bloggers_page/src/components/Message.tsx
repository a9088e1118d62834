import { Box, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Palette } from "../format/words";

type Props = { palette: Palette; title: string; role?: "alert" | "status"; children?: ReactNode };

/** Message that stands out: a problem, a success, or a hint what to do. */
export const Message = ({ palette, title, role, children }: Props) => (
  <Box
    bg={`${palette}.subtle`}
    borderColor={`${palette}.solid`}
    borderLeftWidth="4px"
    borderRadius="sm"
    color={`${palette}.fg`}
    p={3}
    role={role}
  >
    <Text fontWeight="semibold" overflowWrap="anywhere">
      {title}
    </Text>
    {children ? <Box fontSize="sm">{children}</Box> : null}
  </Box>
);
