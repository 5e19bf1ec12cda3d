// A bar that shows the held share of a pool.

interface Props {
  readonly held: number;
  readonly total: number;
}

export function UtilisationBar({ held, total }: Props) {
  const part = total === 0 ? 0 : held / total;
  const state = part >= 1 ? 'full' : part >= 0.85 ? 'nearly-full' : '';
  return (
    <div class={`utilisation-bar ${state}`} aria-hidden="true">
      <span style={{ width: `${part * 100}%` }} />
    </div>
  );
}
