import { Badge } from "@chakra-ui/react";

import type { Palette } from "../format/words";

type Props = { name: string; palette: Palette; title?: string };

/** Name of a state on its colour. */
export const Tag = ({ name, palette, title }: Props) => (
  <Badge bg={`${palette}.subtle`} color={`${palette}.fg`} title={title} whiteSpace="nowrap">
    {name}
  </Badge>
);
