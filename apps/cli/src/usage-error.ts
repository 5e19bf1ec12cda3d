/** The error for a wrong command line: the program has sent no request. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  /** @param message may repeat an argument; the error redacts keys and passwords in URLs */
  constructor(message: string) {
    super(withoutSecrets(message));
  }
}

export const withoutSecrets = (text: string): string =>
  text.replaceAll(/tp_[\w-]*/gi, 'tp_(not shown)').replaceAll(/\/\/[^\s/]*@/g, '//(not shown)@');
