/** The command line is wrong: nothing was asked of the service. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  /** @param message may repeat what was given: no message shows a key, or a password in a URL */
  constructor(message: string) {
    super(withoutSecrets(message));
  }
}

export const withoutSecrets = (text: string): string =>
  text.replaceAll(/tp_[\w-]*/gi, 'tp_(not shown)').replaceAll(/\/\/[^\s/]*@/g, '//(not shown)@');
