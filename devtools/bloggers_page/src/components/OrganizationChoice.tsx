import { Flex, Stack } from "@chakra-ui/react";
import { useState } from "react";

import { api } from "../api/client";
import { useResource } from "../hooks/useResource";
import { PAGE_SIZE } from "../api/pageSize";
import { Choice } from "./Choice";
import { ResourceError } from "./ResourceError";
import { SearchField } from "./SearchField";

type Props = { value: string; none: string; onChange: (organizationId: string) => void };

/** Choice of an organization, or of none, with a search if there are more than the list holds. */
export const OrganizationChoice = ({ value, none, onChange }: Props) => {
  const [search, setSearch] = useState("");
  const [searchable, setSearchable] = useState(false);
  const found = useResource(`organizations ${search}`, (signal) => api.organizations({ search }, signal));
  if (!searchable && (found.data?.total ?? 0) > PAGE_SIZE) setSearchable(true);
  const listed = (found.data?.items ?? []).map(({ id, name }) => [id, name] as const);
  // An organization beyond the first page is not in the list, but can be in the address.
  const unlisted = value && !listed.some(([id]) => id === value) ? [[value, "The chosen organization"] as const] : [];
  const unloaded = found.error ? "Not loaded" : "Loading …";
  const prompt = found.data === undefined ? unloaded : listed.length ? none : "None found";
  return (
    <Stack gap={2}>
      <Flex align="end" gap={3} wrap="wrap">
        {searchable ? <SearchField label="Search organizations" onChange={setSearch} value={search} /> : null}
        <Choice label="Organization" onChange={onChange} options={[["", prompt], ...unlisted, ...listed]} value={value} />
      </Flex>
      <ResourceError resource={found} what="organizations" />
    </Stack>
  );
};
