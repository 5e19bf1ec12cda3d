// Keys with values, as rows of a form: the attributes of a thing, or its secret.

import type { AttributeValue } from '../api.js';
import { Icon } from '../ui/icon.js';

type Type = 'text' | 'number' | 'yes or no';

export interface Pair {
  readonly key: string;
  readonly value: string;
  readonly type: Type;
}

interface Props {
  readonly label: string;
  readonly help: string;
  readonly pairs: readonly Pair[];
  readonly onPairs: (pairs: readonly Pair[]) => void;
  /** Whether values may be other than text. */
  readonly isTyped?: boolean;
  readonly problem?: string | null;
}

const TYPES: readonly Type[] = ['text', 'number', 'yes or no'];

export function PairsField({ label, help, pairs, onPairs, isTyped = false, problem = null }: Props) {
  const set = (index: number, change: Partial<Pair>): void =>
    onPairs(pairs.map((pair, i) => (i === index ? { ...pair, ...change } : pair)));
  return (
    <fieldset class="field pairs-field">
      <legend>{label}</legend>
      {pairs.map(({ key, value, type }, index) => (
        <div class="pair" key={index}>
          <input
            aria-label={`${label}, key ${index + 1}`}
            class="mono"
            placeholder="key"
            autocomplete="off"
            spellcheck={false}
            value={key}
            onInput={({ currentTarget }) => set(index, { key: currentTarget.value })}
          />
          <input
            aria-label={`${label}, value ${index + 1}`}
            placeholder="value"
            autocomplete="off"
            spellcheck={false}
            value={value}
            onInput={({ currentTarget }) => set(index, { value: currentTarget.value })}
          />
          {isTyped && (
            <select
              aria-label={`${label}, type ${index + 1}`}
              value={type}
              onChange={({ currentTarget }) => set(index, { type: currentTarget.value as Type })}
            >
              {TYPES.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          )}
          <button type="button" class="icon-button small" onClick={() => onPairs(pairs.filter((_, i) => i !== index))}>
            <Icon name="close" />
            <span class="unseen">
              Remove {label.toLowerCase()} {key}
            </span>
          </button>
        </div>
      ))}
      <div>
        <button
          type="button"
          class="button small"
          onClick={() => onPairs([...pairs, { key: '', value: '', type: 'text' }])}
        >
          <Icon name="plus" /> Add a value
        </button>
      </div>
      <p class="help">{help}</p>
      {problem !== null && (
        <p class="field-problem" role="alert">
          {problem}
        </p>
      )}
    </fieldset>
  );
}

export const pairsOf = (values: Readonly<Record<string, AttributeValue>>): Pair[] =>
  Object.entries(values).map(([key, value]) => ({
    key,
    value: String(value),
    type: typeof value === 'string' ? 'text' : typeof value === 'number' ? 'number' : 'yes or no',
  }));

/**
 * The values of rows with a key.
 * @throws RangeError for people
 */
export function valuesIn(pairs: readonly Pair[]): Record<string, AttributeValue> {
  const given = pairs.filter(({ key, value }) => key.trim() !== '' || value !== '');
  const keys = given.map(({ key }) => key.trim());
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw new RangeError(`the key ${twice} is there twice`);
  return Object.fromEntries(given.map((pair) => [pair.key.trim(), valueIn(pair)]));
}

function valueIn({ key, value, type }: Pair): AttributeValue {
  if (type === 'text') return value;
  const typed = value.trim();
  if (type === 'number') {
    if (typed !== '' && Number.isFinite(Number(typed))) return Number(typed);
    throw new RangeError(`the value of ${key} must be a number`);
  }
  if (/^(true|yes)$/i.test(typed)) return true;
  if (/^(false|no)$/i.test(typed)) return false;
  throw new RangeError(`the value of ${key} must be true or false`);
}
