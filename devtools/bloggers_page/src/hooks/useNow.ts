import { useEffect, useState } from "react";

/** Return the present time, renewed every `seconds`. */
export function useNow(seconds: number): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(new Date()), seconds * 1000);
    return () => window.clearInterval(timer);
  }, [seconds]);
  return now;
}
