import { Button, Flex, Stack, Text } from "@chakra-ui/react";
import { useId, useState } from "react";

import type { Organization } from "../../api/types";
import { RouteLink } from "../../components/RouteLink";
import { Section } from "../../components/Section";
import { StackedBar } from "../../components/StackedBar";
import { number } from "../../format/numbers";
import { bloggersInWords } from "../../format/organizations";
import { projection } from "../../format/projection";
import { day } from "../../format/times";
import { useNow } from "../../hooks/useNow";
import { paths } from "../../paths";
import { NextRunPlan } from "./NextRunPlan";

/** One organization: its videos of the period, what is to be expected, and the plan of the next run. */
export const OrganizationCard = ({ organization }: { organization: Organization }) => {
  const [planShown, setPlanShown] = useState(false);
  const planId = useId();
  const expected = projection(organization, useNow(60));
  const accounts = organization.activeAccounts + organization.pausedAccounts;
  return (
    <Section aside={<Period organization={organization} />} title={organization.name}>
      <Stack gap={3}>
        {organization.videoLimit === null ? null : (
          <StackedBar
            label={`Videos of ${organization.name}`}
            parts={[
              { name: "Used before the import", value: organization.opening ?? 0, color: "purple" },
              { name: "Charged", value: organization.charged ?? 0, color: "blue" },
              { name: "Reserved", value: organization.reserved ?? 0, color: "yellow" },
              { name: "Remaining", value: organization.remaining ?? 0, color: "gray", faint: true },
            ]}
          />
        )}
        <Text color={expected.runsShort ? "orange.fg" : "fg"}>{expected.text}</Text>
        <Text fontSize="sm">{bloggersInWords(organization)}</Text>
        <Flex align="center" gap={4} wrap="wrap">
          <Button
            aria-controls={planId}
            aria-expanded={planShown}
            onClick={() => setPlanShown(!planShown)}
            size="sm"
            variant="outline"
          >
            {planShown ? "Hide the next run’s plan" : "Show the next run’s plan"}
          </Button>
          {accounts > 0 ? <RouteLink to={paths.bloggersOf(organization.id)}>Its bloggers</RouteLink> : null}
          <RouteLink to={paths.addTo(organization.id)}>Add bloggers</RouteLink>
        </Flex>
        <div id={planId}>{planShown ? <NextRunPlan organization={organization} /> : null}</div>
      </Stack>
    </Section>
  );
};

const Period = ({ organization: { plan, periodStart, periodEnd, videoLimit } }: { organization: Organization }) =>
  periodStart && periodEnd ? (
    <Text color="fg.muted" fontSize="sm">
      {plan ? `Plan ${plan}: ` : ""}
      {number(videoLimit)} videos from {day(periodStart)} to {day(periodEnd)}
    </Text>
  ) : null;
