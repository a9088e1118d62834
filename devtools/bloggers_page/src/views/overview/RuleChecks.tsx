import { Code, Text } from "@chakra-ui/react";

import type { Overview } from "../../api/types";
import { Message } from "../../components/Message";
import { Section } from "../../components/Section";
import { When } from "../../components/When";
import { number } from "../../format/numbers";
import { spaced } from "../../format/words";

/** Result of the newest check of the ledger's invariants. */
export const RuleChecks = ({ invariants }: Pick<Overview, "invariants">) => (
  <Section hint="Statements about the ledger that always hold, such as: no video is charged twice." title="Invariants">
    {invariants ? <Violations {...invariants} /> : <Text>Not checked yet. The DAG health_watch checks them.</Text>}
  </Section>
);

const Violations = ({ checkedAt, violations }: NonNullable<Overview["invariants"]>) => {
  const broken = Object.entries(violations).filter(([, count]) => count > 0);
  return (
    <>
      {broken.length ? (
        <Message palette="red" title="Violations were found">
          {broken.map(([name, count]) => (
            <Text key={name}>
              {spaced(name)}: {number(count)}
            </Text>
          ))}
          <Text>
            The command <Code>verify</Code> explains each of them.
          </Text>
        </Message>
      ) : (
        <Message palette="green" title="All hold" />
      )}
      <Text fontSize="sm" mt={2}>
        Checked <When at={checkedAt} />.
      </Text>
    </>
  );
};
