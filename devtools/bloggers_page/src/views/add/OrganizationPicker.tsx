import { Flex } from "@chakra-ui/react";
import { useState } from "react";

import { api } from "../../api/client";
import { Choice } from "../../components/Choice";
import { SearchField } from "../../components/SearchField";
import { useResource } from "../../hooks/useResource";
import { PAGE_SIZE } from "../pageSize";

type Props = { value: string; onChange: (organizationId: string) => void };

/** Choice of an organization, with a search if there are more than the list holds. */
export const OrganizationPicker = ({ value, onChange }: Props) => {
  const [search, setSearch] = useState("");
  const found = useResource(`picker ${search}`, (signal) => api.organizations({ search }, signal)).data;
  const listed = (found?.items ?? []).map(({ id, name }) => [id, name] as const);
  const unlisted = value && !listed.some(([id]) => id === value) ? [[value, "The chosen organization"] as const] : [];
  const prompt = found === undefined ? "Loading …" : listed.length ? "Choose an organization" : "None found";
  return (
    <Flex align="end" gap={3} wrap="wrap">
      {search !== "" || (found?.total ?? 0) > PAGE_SIZE ? (
        <SearchField label="Search organizations" onChange={setSearch} value={search} />
      ) : null}
      <Choice label="Organization" onChange={onChange} options={[["", prompt], ...unlisted, ...listed]} value={value} />
    </Flex>
  );
};
