// A request that the reader triggers: whether it is under way, and why it failed.

import { useSignal, type ReadonlySignal } from '@preact/signals';
import { ApiError } from '../api.js';

export interface Action {
  readonly isBusy: ReadonlySignal<boolean>;
  readonly problem: ReadonlySignal<ApiError | null>;
  /** Resolves to whether the work succeeded. Ignores a call while another one is under way. */
  readonly run: (work: () => Promise<unknown>) => Promise<boolean>;
  readonly forget: () => void;
}

export function useAction(): Action {
  const isBusy = useSignal(false);
  const problem = useSignal<ApiError | null>(null);
  return {
    isBusy,
    problem,
    forget: () => (problem.value = null),
    async run(work) {
      if (isBusy.peek()) return false;
      isBusy.value = true;
      problem.value = null;
      try {
        await work();
        return true;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        problem.value = error;
        return false;
      } finally {
        isBusy.value = false;
      }
    },
  };
}
