import { useCallback, useEffect, useRef, useState } from "react";

import { type ApiError, asApiError, isTemporary } from "../api/errors";

export type Resource<T> = { data: T | undefined; error: ApiError | undefined; reload: () => void };

type Options<T> = { everySeconds?: number | ((data: T | undefined) => number); version?: string };

/**
 * Load data when `key` or `version` changes, and again after `everySeconds` while the page is visible.
 *
 * Data that was loaded before stays visible while the same key is loaded again, and if that fails. After an error that
 * needs a change, such as a missing right, the data is loaded again only on `reload`.
 */
export function useResource<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  { everySeconds, version = "" }: Options<T> = {},
): Resource<T> {
  const [answer, setAnswer] = useState<{ key: string; data?: T; error?: ApiError }>({ key });
  const [round, setRound] = useState(0);
  const newest = useRef({ load, everySeconds });
  newest.current = { load, everySeconds };

  useEffect(() => {
    const ended = new AbortController();
    let timer: number | undefined;

    const again = (data: T | undefined) => {
      const { everySeconds: wanted } = newest.current;
      const seconds = typeof wanted === "function" ? wanted(data) : wanted;
      if (seconds !== undefined && !ended.signal.aborted) timer = window.setTimeout(run, seconds * 1000);
    };
    const run = async () => {
      if (document.hidden) {
        document.addEventListener("visibilitychange", () => void run(), { once: true, signal: ended.signal });
        return;
      }
      try {
        const data = await newest.current.load(ended.signal);
        if (ended.signal.aborted) return;
        setAnswer({ key, data });
        again(data);
      } catch (error) {
        if (ended.signal.aborted) return;
        const shown = asApiError(error);
        setAnswer((before) => (before.key === key ? { ...before, error: shown } : { key, error: shown }));
        if (isTemporary(shown.status)) again(undefined);
      }
    };
    void run();
    return () => {
      ended.abort();
      window.clearTimeout(timer);
    };
  }, [key, version, round]);

  const reload = useCallback(() => setRound((before) => before + 1), []);
  const current = answer.key === key;
  return { data: current ? answer.data : undefined, error: current ? answer.error : undefined, reload };
}
