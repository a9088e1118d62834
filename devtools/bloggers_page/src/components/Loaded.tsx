import { Button, Skeleton, Stack } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { type ApiError, adviceFor } from "../api/errors";
import type { Resource } from "../hooks/useResource";
import { Message } from "./Message";

type Props<T> = { resource: Resource<T>; lines?: number; children: (data: T) => ReactNode };

/** Contents of a resource; placeholders before the first answer, and the error of the newest request. */
export const Loaded = <T,>({ resource, lines = 3, children }: Props<T>) => {
  const { data, error, reload } = resource;
  return (
    <Stack gap={3}>
      {error ? <LoadError error={error} reload={reload} stale={data !== undefined} /> : null}
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

const LoadError = ({ error, reload, stale }: { error: ApiError; reload: () => void; stale: boolean }) => (
  <Message palette="red" role="alert" title={stale ? "The newest data could not be loaded" : "This could not be loaded"}>
    {error.message} {adviceFor(error.status)}
    <Button display="block" mt={2} onClick={reload} size="xs" variant="outline">
      Try again
    </Button>
  </Message>
);
