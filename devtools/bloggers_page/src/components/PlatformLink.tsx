import { Link, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { httpsOnly } from "../format/links";

/** Link to a page of a platform in a new tab; plain text if the address is none of HTTPS. */
export const PlatformLink = ({ href, children }: { href: string | null; children: ReactNode }) => {
  const safe = httpsOnly(href);
  if (safe === null) return <Text as="span">{children}</Text>;
  return (
    <Link color="fg" display="inline" href={safe} rel="noreferrer" target="_blank" textDecoration="underline">
      {children}
    </Link>
  );
};
