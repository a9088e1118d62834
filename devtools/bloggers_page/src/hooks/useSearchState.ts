import { useSearchParams } from "react-router-dom";

/**
 * Return the value of each name in the address, and a function that changes some of them.
 *
 * A changed filter returns to the first page. An empty value is left out of the address.
 */
export function useSearchState(): [URLSearchParams, (changes: Record<string, string>) => void] {
  const [values, setValues] = useSearchParams();
  const change = (changes: Record<string, string>) =>
    setValues(
      (before) => {
        const after = new URLSearchParams(before);
        if (!("page" in changes)) after.delete("page");
        for (const [name, value] of Object.entries(changes)) {
          if (value === "") after.delete(name);
          else after.set(name, value);
        }
        return after;
      },
      { replace: !("page" in changes) },
    );
  return [values, change];
}
