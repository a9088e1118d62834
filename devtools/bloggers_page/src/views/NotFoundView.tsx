import { RouteLink } from "../components/RouteLink";
import { ViewHeader } from "../components/ViewHeader";
import { paths } from "../paths";

/** Answer to an address that is none of the page's. */
export const NotFoundView = () => (
  <ViewHeader title="There is no such view">
    The address may be misspelt. Go to the <RouteLink to={paths.overview}>overview</RouteLink>.
  </ViewHeader>
);
