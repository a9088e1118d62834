import { Field, NativeSelect } from "@chakra-ui/react";

type Props = {
  label: string;
  value: string;
  options: readonly (readonly [value: string, name: string])[];
  onChange: (value: string) => void;
};

/** List of options with its label. */
export const Choice = ({ label, value, options, onChange }: Props) => (
  <Field.Root maxW="24rem" width="auto">
    <Field.Label>{label}</Field.Label>
    <NativeSelect.Root size="sm">
      <NativeSelect.Field onChange={(event) => onChange(event.currentTarget.value)} value={value}>
        {options.map(([option, name]) => (
          <option key={option} value={option}>
            {name}
          </option>
        ))}
      </NativeSelect.Field>
      <NativeSelect.Indicator />
    </NativeSelect.Root>
  </Field.Root>
);
