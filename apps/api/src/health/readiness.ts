// What stands in the way of serving; whoever keeps the pools knows.

export abstract class Readiness {
  /** In a few words that everybody may read; null when nothing does. Answers within seconds and never throws. */
  abstract obstacle(): Promise<string | null>;

  /** What will stand in the way one day if nobody does anything; null when nothing will. Never throws. */
  abstract warning(): Promise<string | null>;
}
