import { useEffect, useRef, useState } from "react";

import { api } from "../../api/client";
import { type ApiError, asApiError } from "../../api/errors";
import type { Platform } from "../../api/types";
import type { Line } from "../../format/lines";
import { additionProblem, continueAt, firstVideos, reachOf } from "./additionRules";

export type LineState = "waiting" | "adding" | "added" | "known" | "refused";
export type LineResult = Line & { state: LineState; detail: string; bloggerId: string | null };

type Additions = {
  results: LineResult[];
  running: boolean;
  /** Reasons for which lines are still waiting after the work, and the earliest moment to continue at. */
  stopped: { reasons: string[]; continueAt: Date } | undefined;
  start: (lines: Line[], organizationId: string) => void;
  resume: () => void;
};

/**
 * Add lines one after another, each with a result.
 *
 * The work stops at the first answer that concerns all further lines; after an answer that concerns one platform, the
 * lines of that platform wait, and the others go on.
 */
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
  useEffect(() => {
    if (!running) return undefined;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [running]);

  const work = async (all: LineResult[]) => {
    setRunning(true);
    setStopped(undefined);
    const current = [...all];
    const blocked = new Map<Platform, ApiError>();
    let ending: ApiError | undefined;
    const show = (index: number, changes: Partial<LineResult>) => {
      const before = current[index];
      if (before) current[index] = { ...before, ...changes };
      setResults([...current]);
    };
    setResults(current);
    for (const [index, line] of all.entries()) {
      if (left.current) return;
      if (line.state !== "waiting" || blocked.has(line.platform)) continue;
      show(index, { state: "adding" });
      try {
        const { bloggerId, initialFetch } = await api.addBlogger(organization.current, line.platform, line.username);
        show(index, { state: "added", detail: firstVideos(initialFetch.state), bloggerId });
      } catch (problem) {
        const error = asApiError(problem);
        const reach = reachOf(error);
        if (reach === "line") {
          show(index, { state: error.status === 409 ? "known" : "refused", detail: additionProblem(error, "Continue") });
          continue;
        }
        show(index, { state: "waiting", detail: "" });
        if (reach === "all") {
          ending = error;
          break;
        }
        blocked.set(line.platform, error);
      }
    }
    const errors = [...blocked.values(), ...(ending ? [ending] : [])];
    if (errors.length) {
      const reasons = errors.map((error) => additionProblem(error, "Continue"));
      setStopped({ reasons, continueAt: continueAt(errors, new Date()) });
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
