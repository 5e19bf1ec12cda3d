// A form field: its label, its explanation, and the error of its value.

import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import type { ApiError } from '../api.js';

interface FieldProps {
  readonly label: string;
  readonly help?: ComponentChildren;
  readonly problem?: string | null;
  /** Renders the control, with its id and the ids of the texts that describe it. */
  readonly children: (ids: { id: string; describedBy: string; isInvalid: boolean }) => ComponentChildren;
}

export function Field({ label, help, problem = null, children }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, describedBy: `${id}-help ${id}-problem`, isInvalid: problem !== null })}
      {help !== undefined && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {problem !== null && (
        <p class="field-problem" id={`${id}-problem`} role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

interface InputProps extends Omit<FieldProps, 'children'> {
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly type?: 'text' | 'number';
  readonly unit?: string;
  readonly placeholder?: string;
  readonly disabled?: boolean;
  readonly mono?: boolean;
}

export function InputField({ value, onValue, type = 'text', unit, placeholder, disabled, mono, ...field }: InputProps) {
  return (
    <Field {...field}>
      {({ id, describedBy, isInvalid }) => (
        <div class="input">
          <input
            id={id}
            class={mono ? 'mono' : undefined}
            type="text"
            inputMode={type === 'number' ? 'decimal' : 'text'}
            value={value}
            placeholder={placeholder}
            disabled={disabled}
            autocomplete="off"
            spellcheck={false}
            aria-describedby={describedBy}
            aria-invalid={isInvalid}
            onInput={({ currentTarget }) => onValue(currentTarget.value)}
          />
          {unit && <span class="unit">{unit}</span>}
        </div>
      )}
    </Field>
  );
}

interface Choice<T extends string> {
  readonly value: T;
  readonly label: string;
  readonly help: string;
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly name: string;
  readonly value: T;
  readonly choices: readonly Choice<T>[];
  readonly onValue: (value: T) => void;
  readonly disabled?: boolean;
  readonly problem?: string | null;
}

/** A choice of a few options, each with an explanation. */
export function ChoiceField<T extends string>({
  label,
  name,
  value,
  choices,
  onValue,
  disabled,
  problem,
}: ChoiceProps<T>) {
  return (
    <fieldset class="field choices" disabled={disabled}>
      <legend>{label}</legend>
      <div class="choice-row">
        {choices.map((choice) => (
          <label class="choice" key={choice.value}>
            <input type="radio" name={name} checked={choice.value === value} onChange={() => onValue(choice.value)} />
            <span>
              <strong>{choice.label}</strong>
              <span class="help">{choice.help}</span>
            </span>
          </label>
        ))}
      </div>
      {problem && (
        <p class="field-problem" role="alert">
          {problem}
        </p>
      )}
    </fieldset>
  );
}

/** The error of one field: the `detail` of an API error begins with the name of the field. */
export function problemOf(error: ApiError | null, field: string): string | null {
  return error !== null && new RegExp(`^${field}\\b`).test(error.message) ? error.message : null;
}
