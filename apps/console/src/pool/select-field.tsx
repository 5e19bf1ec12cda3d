// Selects tokens by their attributes: rows of a key and a value. Rows of the same key mean any of their values.

import { useId, useMemo } from 'preact/hooks';
import type { AttributeValue, Selector } from '../api.js';
import type { TokenState } from '../live/pool-state.js';
import { Icon } from '../ui/icon.js';

export interface Wanted {
  readonly key: string;
  /** As typed; empty for tokens without the attribute. */
  readonly value: string;
}

type Values = ReadonlyMap<string, ReadonlyMap<string, AttributeValue>>;

interface Props {
  readonly values: Values;
  readonly wanted: readonly Wanted[];
  readonly onWanted: (wanted: readonly Wanted[]) => void;
  readonly problem: string | null;
}

/** The most values of a key that the browser offers. */
const OFFERED = 200;

export function SelectField({ values, wanted, onWanted, problem }: Props) {
  const id = useId();
  const keys = [...values.keys()];
  if (keys.length === 0) return null;
  const set = (index: number, change: Partial<Wanted>): void =>
    onWanted(wanted.map((each, i) => (i === index ? { ...each, ...change } : each)));
  return (
    <fieldset class="field pairs-field">
      <legend>Select</legend>
      {wanted.map(({ key, value }, index) => (
        <div class="pair" key={index}>
          <select
            aria-label={`Attribute ${index + 1}`}
            value={key}
            onChange={({ currentTarget }) => set(index, { key: currentTarget.value, value: '' })}
          >
            {keys.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
          <input
            aria-label={`Value of attribute ${index + 1}`}
            list={`${id}-${index}`}
            placeholder="none"
            autocomplete="off"
            spellcheck={false}
            value={value}
            onInput={({ currentTarget }) => set(index, { value: currentTarget.value })}
          />
          <datalist id={`${id}-${index}`}>
            {[...(values.get(key)?.keys() ?? [])].slice(0, OFFERED).map((each) => (
              <option key={each} value={each} />
            ))}
          </datalist>
          <button
            type="button"
            class="icon-button small"
            onClick={() => onWanted(wanted.filter((_, i) => i !== index))}
          >
            <Icon name="close" />
            <span class="unseen">Remove attribute {index + 1}</span>
          </button>
        </div>
      ))}
      <div>
        <button type="button" class="button small" onClick={() => onWanted([...wanted, { key: keys[0]!, value: '' }])}>
          <Icon name="plus" /> Add an attribute
        </button>
      </div>
      <p class="help">
        Only tokens with these attributes. The same key twice: any of the values. An empty value: tokens without it.
      </p>
      {problem !== null && (
        <p class="field-problem" role="alert">
          {problem}
        </p>
      )}
    </fieldset>
  );
}

/** The values of each attribute in the pool, by what they look like as text. */
export function useValues(tokens: readonly TokenState[]): Values {
  return useMemo(() => {
    const values = new Map<string, Map<string, AttributeValue>>();
    for (const { attributes } of tokens) {
      for (const [key, value] of Object.entries(attributes)) {
        if (!values.has(key)) values.set(key, new Map());
        values.get(key)!.set(String(value), value);
      }
    }
    return values;
  }, [tokens]);
}

/** @returns undefined when nothing is selected */
export function selectorOf(wanted: readonly Wanted[], values: Values): Selector | undefined {
  const selector: Selector = {};
  for (const key of new Set(wanted.map((each) => each.key))) {
    const typed = wanted.filter((each) => each.key === key).map(({ value }) => value);
    // As text, 14 and "14" look the same: the pool knows which it is.
    const meant = typed.filter((value) => value !== '').map((value) => values.get(key)?.get(value) ?? value);
    selector[key] = meant.length === 0 ? null : meant.length === 1 ? meant[0]! : meant;
  }
  return wanted.length === 0 ? undefined : selector;
}
