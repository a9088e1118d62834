import { Button } from "@chakra-ui/react";

import { loadingAdvice } from "../api/errors";
import type { Resource } from "../hooks/useResource";
import { Message } from "./Message";

type Props = { resource: Resource<unknown>; what?: string };

/** Error of the newest request of a resource, with a button that tries again; nothing if the request succeeded. */
export const ResourceError = ({ resource: { data, error, reload }, what = "data" }: Props) =>
  error ? (
    <Message palette="red" role="alert" title={`The ${data === undefined ? "" : "newest "}${what} could not be loaded`}>
      {error.message} {loadingAdvice(error.status)}
      <Button display="block" mt={2} onClick={reload} size="xs" variant="outline">
        Try again
      </Button>
    </Message>
  ) : null;
