import { Text } from "@chakra-ui/react";

import type { Overview } from "../../api/types";
import { Message } from "../../components/Message";
import { Section } from "../../components/Section";
import { When } from "../../components/When";
import { counted } from "../../format/numbers";

/** Result of the newest check of the ledger's invariants. */
export const RuleChecks = ({ invariants }: Pick<Overview, "invariants">) => (
  <Section hint="Statements about the ledger that always hold, such as: no video is charged twice." title="Invariants">
    {invariants ? (
      <Checks {...invariants} />
    ) : (
      <Text>Not checked yet. The DAG maintenance checks the invariants once a day.</Text>
    )}
  </Section>
);

const Checks = ({ checkedAt, checked, violations }: NonNullable<Overview["invariants"]>) => (
  <>
    {violations.length ? (
      <Message palette="red" title="Violations were found">
        {violations.map(({ name, sentence, count }) => (
          <Text key={name}>
            {sentence} {counted(count, "violation")}.
          </Text>
        ))}
      </Message>
    ) : (
      <Message palette="green" title="All hold" />
    )}
    <Text fontSize="sm" mt={2}>
      {counted(checked, "invariant")} checked <When at={checkedAt} />.
    </Text>
  </>
);
