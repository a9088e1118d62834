import { Skeleton, Stack } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Resource } from "../hooks/useResource";
import { ResourceError } from "./ResourceError";

type Props<T> = { resource: Resource<T>; lines?: number; children: (data: T) => ReactNode };

/** Contents of a resource; placeholders before the first answer, and the error of the newest request. */
export const Loaded = <T,>({ resource, lines = 3, children }: Props<T>) => {
  const { data, error } = resource;
  return (
    <Stack gap={3}>
      <ResourceError resource={resource} />
      {data !== undefined ? children(data) : null}
      {data === undefined && !error ? <Placeholder lines={lines} /> : null}
    </Stack>
  );
};

const Placeholder = ({ lines }: { lines: number }) => (
  <Stack aria-busy="true" aria-label="Loading" role="status">
    {Array.from({ length: lines }, (_, line) => (
      <Skeleton height={6} key={line} />
    ))}
  </Stack>
);
