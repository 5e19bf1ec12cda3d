import { withoutSecrets } from '@app/keys';

/** The command line is wrong: nothing was asked. */
export class UsageError extends Error {
  /** @param message may repeat what was given: no message shows a key or a password */
  constructor(message: string) {
    super(withoutSecrets(message));
  }
}
