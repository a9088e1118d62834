import { Grid } from "@chakra-ui/react";

import { PLATFORMS } from "../../api/types";
import { Choice } from "../../components/Choice";
import { OrganizationChoice } from "../../components/OrganizationChoice";
import { SearchField } from "../../components/SearchField";

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
  ["-lastFetch", "Newest result"],
  ["lastFetch", "Oldest result"],
] as const;

type Props = { values: URLSearchParams; change: (changes: Record<string, string>) => void };

/** Filters and order of the list of bloggers. */
export const BloggerFilters = ({ values, change }: Props) => {
  const value = (name: string) => values.get(name) ?? "";
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
      <OrganizationChoice
        none="All organizations"
        onChange={(organization) => change({ organization })}
        value={value("organization")}
      />
      {choice("platform", "Platform", [["", "All platforms"], ...PLATFORMS.map((name) => [name, name] as const)])}
      {choice("state", "State", STATES)}
      {choice("sort", "Order", ORDERS)}
    </Grid>
  );
};
