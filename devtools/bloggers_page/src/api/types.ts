/** Bodies of the page's JSON API. A number or a time that is not known is null. */

export const PLATFORMS = ["TikTok", "Instagram", "YouTube"] as const;
export type Platform = (typeof PLATFORMS)[number];

export type Named = { id: string; name: string };
export type Listing<T> = { total: number; items: T[] };

/** Number of fetches by state. */
export type Tally = Record<string, number>;
export type Progress = { done: number; total: number };

export type LiveRun = {
  dagId: string;
  dagRunId: string;
  plannedAt: string;
  platforms: Partial<Record<Platform, Progress>>;
};

export type Run = {
  runId: number;
  dagRunId: string;
  plannedAt: string;
  endedAt: string | null;
  problems: string[];
  platforms: Partial<Record<Platform, Tally>>;
};

export type PlatformHealth = {
  platform: Platform;
  accounts: number;
  lastFetchedAt: string | null;
  suspendedUntil: string | null;
  reason: string | null;
};

export type QueueDepth = { queue: string; waiting: number; parked: number; oldestAt: string | null };

export type Violation = { name: string; sentence: string; count: number };

export type Overview = {
  runs: Run[];
  live: LiveRun[];
  platforms: PlatformHealth[];
  youtubeUnits: { spent: number; budget: number; resetsAt: string };
  /** Requests of all runs since midnight UTC. */
  requestsToday: Partial<Record<Platform, number>>;
  requestsOfLastRun: Partial<Record<Platform, number>>;
  queues: QueueDepth[];
  /** The number of checked invariants, and the broken ones. */
  invariants: { checkedAt: string; checked: number; violations: Violation[] } | null;
};

export type Organization = Named & {
  plan: string | null;
  periodStart: string | null;
  periodEnd: string | null;
  videoLimit: number | null;
  opening: number | null;
  charged: number | null;
  reserved: number | null;
  remaining: number | null;
  usedUpAt: string | null;
  activeAccounts: number;
  pausedAccounts: number;
  pendingAccounts: number;
  bloggerLimit: number | null;
};

export type PlannedAccount = {
  trackingId: string;
  bloggerId: string;
  platform: Platform;
  username: string;
  decision: "full" | "partial" | "skip";
  asked: number;
  videos: number;
  reason: string | null;
};

export type Fetch = {
  fetchId: number | string;
  /** True if the Airflow that serves the page ran the fetch: several may share one database. */
  isHere: boolean;
  dagId: string;
  dagRunId: string;
  taskId: string | null;
  mapIndex: number | null;
  plannedAt: string;
  finishedAt: string | null;
  state: string;
  reason: string | null;
};

/** A day and its value. */
export type DatedNumber = [date: string, value: number | null];

export type Blogger = {
  id: string;
  platform: Platform;
  username: string;
  channelName: string | null;
  followers: number | null;
  accountState: string;
  accountStateSince: string | null;
  organizations: Named[];
  isActive: boolean;
  isPending: boolean;
  videos: number;
  lastFetch: Fetch | null;
  views: DatedNumber[];
  /** Days on which a look-up saw the profile, the oldest first: the last 30 days in the list, all in the details. */
  followerCounts: DatedNumber[];
};

export type Tracked = {
  trackingId: string;
  organization: Named;
  isActive: boolean;
  dailyVideosCount: number | null;
  isPending: boolean;
  initialReason: string | null;
};

export type AccountChange = {
  state: string;
  since: string;
  reason: string | null;
  oldUsername: string | null;
  newUsername: string | null;
};

export type BloggerDetails = Blogger & {
  externalId: string;
  url: string | null;
  history: AccountChange[];
  tracked: Tracked[];
};

export type Video = {
  id: string;
  title: string;
  url: string | null;
  publishedAt: string | null;
  hasThumbnail: boolean;
  removedAt: string | null;
  views: number | null;
  likes: number | null;
  comments: number | null;
  reposts: number | null;
  capturedAt: string | null;
};

export type DailyTotals = [date: string, views: number | null, likes: number | null, comments: number | null];
export type BloggerStatistics = { totals: DailyTotals[] };

export type Capture = {
  capturedAt: string;
  views: number | null;
  likes: number | null;
  comments: number | null;
  reposts: number | null;
};

export type Allocation = {
  organization: Named;
  asked: number;
  granted: number;
  charged: number;
  decision: string;
  reason: string | null;
};

export type LedgerFetch = Fetch & {
  target: number | null;
  videosReturned: number | null;
  videosNew: number | null;
  requests: Record<string, number>;
  attempts: number;
  allocations: Allocation[];
};

export type Me = { mayAct: boolean };
export type Addition = { trackingId: string; bloggerId: string; initialFetch: { state: string } };

/** The parts of Airflow's own answers about a DAG and a run that the page shows. */
export type Dag = { is_paused: boolean; next_dagrun_run_after: string | null; timetable_description: string | null };
export type DagRun = { dag_run_id: string; state: string };
