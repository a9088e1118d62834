/** One function for each route of the page's JSON API, and for those of Airflow's REST API that the page uses. */

import { address, getJson, postJson, type Query } from "./request";
import type {
  Addition,
  Blogger,
  BloggerDetails,
  BloggerStatistics,
  Capture,
  Dag,
  DagRun,
  LedgerFetch,
  Listing,
  LiveRun,
  Me,
  Organization,
  Overview,
  PlannedAccount,
  Platform,
  Video,
} from "./types";

const API = "bloggers/api";
const BATCH_DAG = "api/v2/dags/blogger_batch_fetch";
const id = encodeURIComponent;

export const api = {
  overview: (signal?: AbortSignal) => getJson<Overview>(`${API}/overview`, {}, signal),
  live: (signal?: AbortSignal) => getJson<LiveRun[]>(`${API}/live`, {}, signal),
  me: (signal?: AbortSignal) => getJson<Me>(`${API}/me`, {}, signal),
  organizations: (query: Query, signal?: AbortSignal) =>
    getJson<Listing<Organization>>(`${API}/organizations`, query, signal),
  nextRun: (organizationId: string, signal?: AbortSignal) =>
    getJson<PlannedAccount[]>(`${API}/organizations/${id(organizationId)}/next-run`, {}, signal),
  bloggers: (query: Query, signal?: AbortSignal) => getJson<Listing<Blogger>>(`${API}/bloggers`, query, signal),
  blogger: (bloggerId: string, signal?: AbortSignal) =>
    getJson<BloggerDetails>(`${API}/bloggers/${id(bloggerId)}`, {}, signal),
  videos: (bloggerId: string, page: number, signal?: AbortSignal) =>
    getJson<Listing<Video>>(`${API}/bloggers/${id(bloggerId)}/videos`, { page }, signal),
  statistics: (bloggerId: string, days: number, signal?: AbortSignal) =>
    getJson<BloggerStatistics>(`${API}/bloggers/${id(bloggerId)}/statistics`, { days }, signal),
  videoStatistics: (videoId: string, signal?: AbortSignal) =>
    getJson<Capture[]>(`${API}/videos/${id(videoId)}/statistics`, {}, signal),
  fetches: (bloggerId: string, page: number, signal?: AbortSignal) =>
    getJson<Listing<LedgerFetch>>(`${API}/bloggers/${id(bloggerId)}/fetches`, { page }, signal),
  thumbnailAddress: (videoId: string) => address(`${API}/videos/${id(videoId)}/thumbnail`),
  addBlogger: (organizationId: string, platform: Platform, username: string) =>
    postJson<Addition>(`${API}/organizations/${id(organizationId)}/bloggers`, { username, platform }),

  batchDag: (signal?: AbortSignal) => getJson<Dag>(BATCH_DAG, {}, signal),
  batchRun: (dagRunId: string, signal?: AbortSignal) =>
    getJson<DagRun>(`${BATCH_DAG}/dagRuns/${id(dagRunId)}`, {}, signal),
  fetchNow: (bloggerId: string) =>
    postJson<DagRun>(`${BATCH_DAG}/dagRuns`, { logical_date: null, conf: { bloggers: [bloggerId] } }),
};
