import { Link, type LinkProps } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

type Props = LinkProps & { to: string };

/** Link to another view of Airflow's UI. */
export const RouteLink = ({ to, children, ...props }: Props) => (
  <Link asChild color="fg" display="inline" textDecoration="underline" textUnderlineOffset="5px" {...props}>
    <RouterLink to={to}>{children}</RouterLink>
  </Link>
);
