// The user that a client of the short routes is.

import { isUuid, uuidOfName } from '../uuid.js';

/** Ours; never changed, or every client would become somebody else. */
const NAMESPACE = '5a3d0e6c-8f0b-4a57-9c1e-6c1d0b7f2e94';

/** A client id that is a UUID is the user id itself; any other always stands for the same one. */
export const userOfClient = (clientId: string): string =>
  isUuid(clientId) ? clientId.toLowerCase() : uuidOfName(NAMESPACE, clientId);
