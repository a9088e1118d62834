import { Flex } from "@chakra-ui/react";
import { useState } from "react";

import { api } from "../api/client";
import { useResource } from "../hooks/useResource";
import { PAGE_SIZE } from "../api/pageSize";
import { Choice } from "./Choice";
import { SearchField } from "./SearchField";

type Props = { value: string; none: string; onChange: (organizationId: string) => void };

/** Choice of an organization, or of none, with a search if there are more than the list holds. */
export const OrganizationChoice = ({ value, none, onChange }: Props) => {
  const [search, setSearch] = useState("");
  const found = useResource(`organizations ${search}`, (signal) => api.organizations({ search }, signal)).data;
  const listed = (found?.items ?? []).map(({ id, name }) => [id, name] as const);
  // An organization beyond the first page is not in the list, but can be in the address.
  const unlisted = value && !listed.some(([id]) => id === value) ? [[value, "The chosen organization"] as const] : [];
  const prompt = found === undefined ? "Loading …" : listed.length ? none : "None found";
  return (
    <Flex align="end" gap={3} wrap="wrap">
      {search !== "" || (found?.total ?? 0) > PAGE_SIZE ? (
        <SearchField label="Search organizations" onChange={setSearch} value={search} />
      ) : null}
      <Choice label="Organization" onChange={onChange} options={[["", prompt], ...unlisted, ...listed]} value={value} />
    </Flex>
  );
};
