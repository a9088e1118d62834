import { Field, Input } from "@chakra-ui/react";
import { useEffect, useRef, useState } from "react";

const QUIET_MILLISECONDS = 300;

type Props = { label: string; value: string; placeholder?: string; onChange: (value: string) => void };

/** Field whose text takes effect after a short rest from typing, and follows a value that changes elsewhere. */
export const SearchField = ({ label, value, placeholder, onChange }: Props) => {
  const [typed, setTyped] = useState(value);
  const sent = useRef(value);
  const change = useRef(onChange);
  change.current = onChange;
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setTyped(value);
  }, [value]);
  useEffect(() => {
    const text = typed.trim();
    if (text === sent.current) return undefined;
    const timer = window.setTimeout(() => {
      sent.current = text;
      change.current(text);
    }, QUIET_MILLISECONDS);
    return () => window.clearTimeout(timer);
  }, [typed]);
  return (
    <Field.Root maxW={{ base: "full", sm: "18rem" }}>
      <Field.Label>{label}</Field.Label>
      <Input
        onChange={(event) => setTyped(event.currentTarget.value)}
        placeholder={placeholder}
        size="sm"
        type="search"
        value={typed}
      />
    </Field.Root>
  );
};
