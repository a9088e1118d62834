import { useState } from "react";

import { api } from "../../api/client";
import type { Video } from "../../api/types";
import { TimeChart } from "../../charts/TimeChart";
import { Choice } from "../../components/Choice";
import { Loaded } from "../../components/Loaded";
import { useResource } from "../../hooks/useResource";

const COUNTS = [
  ["views", "Views"],
  ["likes", "Likes"],
  ["comments", "Comments"],
  ["reposts", "Reposts"],
] as const;

/** Plot of all captures of one video. */
export const VideoStatistics = ({ video }: { video: Video }) => {
  const [count, setCount] = useState("views");
  const captures = useResource(`captures ${video.id}`, (signal) => api.videoStatistics(video.id, signal), {
    version: video.capturedAt ?? "",
  });
  const [name, title] = COUNTS.find(([option]) => option === count) ?? COUNTS[0];
  return (
    <Loaded resource={captures}>
      {(rows) => (
        <>
          <Choice label="Count" onChange={setCount} options={COUNTS} value={count} />
          <TimeChart
            points={rows.map((row) => ({ at: row.capturedAt, value: row[name] }))}
            title={`${title} of ${video.title || "the video"}`}
          />
        </>
      )}
    </Loaded>
  );
};
