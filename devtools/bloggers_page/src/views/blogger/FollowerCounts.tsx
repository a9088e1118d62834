import type { DatedNumber } from "../../api/types";
import { TimeChart } from "../../charts/TimeChart";
import { Section } from "../../components/Section";

/** Numbers of followers over time; nothing before there are two. */
export const FollowerCounts = ({ counts }: { counts: DatedNumber[] }) =>
  counts.length < 2 ? null : (
    <Section hint="The platform’s number on the days on which the profile was looked up." title="Followers">
      <TimeChart points={counts.map(([at, value]) => ({ at, value }))} title="Number of followers" />
    </Section>
  );
