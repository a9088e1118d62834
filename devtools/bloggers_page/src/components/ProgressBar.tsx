import { Box } from "@chakra-ui/react";

import type { Progress } from "../api/types";
import { number, percent } from "../format/numbers";

/** Bar of finished work. */
export const ProgressBar = ({ label, done, total }: Progress & { label: string }) => (
  <Box
    aria-label={label}
    aria-valuemax={total}
    aria-valuemin={0}
    aria-valuenow={done}
    aria-valuetext={`${number(done)} of ${number(total)}`}
    bg="bg.emphasized"
    borderRadius="sm"
    height={3}
    overflow="hidden"
    role="progressbar"
  >
    <Box bg="blue.solid" height="full" transition="width 0.6s" width={`${percent(done, total)}%`} />
  </Box>
);
