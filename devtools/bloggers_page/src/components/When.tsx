import { Text, type TextProps } from "@chakra-ui/react";

import { distance, moment } from "../format/times";
import { useNow } from "../hooks/useNow";

type Props = TextProps & { at: string | null; never?: string };

/** Distance of a time in words; the exact time is its title. */
export const When = ({ at, never = "never", ...props }: Props) => {
  const now = useNow(30);
  if (at === null) return <Text as="span" {...props}>{never}</Text>;
  return (
    <Text as="span" title={moment(at)} whiteSpace="nowrap" {...props}>
      <time dateTime={at}>{distance(at, now)}</time>
    </Text>
  );
};
