import { Grid } from "@chakra-ui/react";

import { api } from "../../api/client";
import { PLATFORMS } from "../../api/types";
import { Choice } from "../../components/Choice";
import { SearchField } from "../../components/SearchField";
import { useResource } from "../../hooks/useResource";

const STATES = [
  ["", "All states"],
  ["active", "Active"],
  ["paused", "Paused"],
  ["pending", "First fetch pending"],
  ["failed", "Last fetch failed"],
  ["private", "Private"],
  ["not_found", "Not found"],
  ["empty", "No videos"],
] as const;

const ORDERS = [
  ["", "Name"],
  ["-followers", "Most followers"],
  ["-lastFetch", "Fetched last"],
  ["lastFetch", "Fetched longest ago"],
] as const;

type Props = { values: URLSearchParams; change: (changes: Record<string, string>) => void };

/** Filters and order of the list of bloggers. */
export const BloggerFilters = ({ values, change }: Props) => {
  const value = (name: string) => values.get(name) ?? "";
  const organizations = useResource("organizations", (signal) => api.organizations({}, signal)).data?.items ?? [];
  const listed = organizations.map(({ id, name }) => [id, name] as const);
  // An organization beyond the first page is not in the list, but can be in the address.
  const chosen = value("organization");
  const unlisted = chosen && !listed.some(([id]) => id === chosen) ? [[chosen, "The chosen organization"] as const] : [];
  const choice = (name: string, label: string, options: readonly (readonly [string, string])[]) => (
    <Choice label={label} onChange={(wanted) => change({ [name]: wanted })} options={options} value={value(name)} />
  );
  return (
    <Grid
      alignItems="end"
      gap={3}
      role="search"
      templateColumns={{ base: "repeat(2, minmax(0, 1fr))", sm: "repeat(auto-fill, minmax(11rem, 1fr))" }}
    >
      <SearchField label="Search" onChange={(search) => change({ search })} placeholder="Name" value={value("search")} />
      {choice("organization", "Organization", [["", "All organizations"], ...listed, ...unlisted])}
      {choice("platform", "Platform", [["", "All platforms"], ...PLATFORMS.map((name) => [name, name] as const)])}
      {choice("state", "State", STATES)}
      {choice("sort", "Order", ORDERS)}
    </Grid>
  );
};
