import { useEffect, useRef, useState } from "react";

import { api } from "../../api/client";
import { ApiError } from "../../api/errors";
import type { Line } from "../../format/lines";
import { additionProblem } from "./additionProblem";

export type LineState = "waiting" | "adding" | "added" | "known" | "refused";
export type LineResult = Line & { state: LineState; detail: string; bloggerId: string | null };

/** Statuses after which the further lines would be refused as well. */
const ENDING = new Set([0, 401, 403, 429, 503]);
const STANDARD_PAUSE_SECONDS = 60;

type Additions = {
  results: LineResult[];
  running: boolean;
  /** Reason for which the work stopped before its end, and the earliest moment to continue at. */
  stopped: { reason: string; continueAt: Date } | undefined;
  start: (lines: Line[], organizationId: string) => void;
  resume: () => void;
};

/** Add lines one after another, each with a result; stop at the first answer that concerns the further lines, too. */
export function useAdditions(): Additions {
  const [results, setResults] = useState<LineResult[]>([]);
  const [running, setRunning] = useState(false);
  const [stopped, setStopped] = useState<Additions["stopped"]>();
  const organization = useRef("");
  const left = useRef(false);
  useEffect(() => {
    left.current = false;
    return () => {
      left.current = true;
    };
  }, []);

  const work = async (all: LineResult[]) => {
    setRunning(true);
    setStopped(undefined);
    const current = [...all];
    const show = (index: number, changes: Partial<LineResult>) => {
      const before = current[index];
      if (before) current[index] = { ...before, ...changes };
      setResults([...current]);
    };
    setResults(current);
    for (const [index, line] of all.entries()) {
      if (left.current) return;
      if (line.state !== "waiting") continue;
      show(index, { state: "adding" });
      try {
        const { bloggerId, initialFetch } = await api.addBlogger(organization.current, line.platform, line.username);
        show(index, { state: "added", detail: firstVideos(initialFetch.state), bloggerId });
      } catch (problem) {
        const error = problem instanceof ApiError ? problem : new ApiError(0, null, String(problem));
        if (concernsFurtherLines(error)) {
          show(index, { state: "waiting", detail: "" });
          setStopped({ reason: additionProblem(error), continueAt: pauseEnd(error) });
          break;
        }
        show(index, { state: error.status === 409 ? "known" : "refused", detail: additionProblem(error) });
      }
    }
    setRunning(false);
  };

  const start = (lines: Line[], organizationId: string) => {
    organization.current = organizationId;
    void work(
      lines.map((line) => ({
        ...line,
        state: line.problem === null ? "waiting" : "refused",
        detail: line.problem ?? "",
        bloggerId: null,
      })),
    );
  };
  return { results, running, stopped, start, resume: () => void work(results) };
}

/** A blogger whom the organization has paused stays paused: a 403 of this line alone. */
function concernsFurtherLines(error: ApiError): boolean {
  return ENDING.has(error.status) && error.code !== "role_not_allowed";
}

function firstVideos(state: string): string {
  return state === "waiting" ? "The first videos come with the next run." : "The first videos are fetched now.";
}

function pauseEnd(error: ApiError): Date {
  const seconds = error.retryAfterSeconds ?? (error.status === 429 ? STANDARD_PAUSE_SECONDS : 0);
  return new Date(Date.now() + seconds * 1000);
}
