// The port that tells whether the service can serve. The storage adapter implements it.

export abstract class Readiness {
  /**
   * What prevents the service from serving, in a few words without secrets; null when nothing does. Answers within
   * seconds and never throws.
   */
  abstract obstacle(): Promise<string | null>;

  /** What will prevent it unless an operator acts, in the same form; null when nothing will. Never throws. */
  abstract warning(): Promise<string | null>;
}
