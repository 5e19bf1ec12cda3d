import { withoutSecrets } from '@app/keys';

/** The command line or environment is wrong, and the command has done nothing. Exit code 2. */
export class UsageError extends Error {
  /** @param message may quote the arguments, but no key or password */
  constructor(message: string) {
    super(withoutSecrets(message));
  }
}
