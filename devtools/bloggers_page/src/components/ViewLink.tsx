import { Link } from "@chakra-ui/react";
import type { ReactNode } from "react";
import { NavLink } from "react-router-dom";

type Props = { to: string; end?: boolean; children: ReactNode };

/** Link of the page's navigation; the router marks the present view with aria-current. */
export const ViewLink = ({ to, end = false, children }: Props) => (
  <Link
    _currentPage={{ borderColor: "brand.solid", color: "fg", fontWeight: "semibold" }}
    _hover={{ color: "fg", textDecoration: "none" }}
    asChild
    borderBottomWidth="3px"
    borderColor="transparent"
    borderRadius={0}
    color="fg.muted"
    px={{ base: 2, md: 3 }}
    py={2}
    whiteSpace="nowrap"
  >
    <NavLink end={end} to={to}>
      {children}
    </NavLink>
  </Link>
);
