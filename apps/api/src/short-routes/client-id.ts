// Maps a client id of the short routes, or the name of a holder, to a user id.

import { isUuid, uuidOfName } from '../uuid.js';

/** The namespace of client ids. It must never change: each client would get another user id. */
const NAMESPACE = '5a3d0e6c-8f0b-4a57-9c1e-6c1d0b7f2e94';

/** A client id that is a UUID is the user id itself; any other text always gives the same UUID. */
export const userOfClient = (clientId: string): string =>
  isUuid(clientId) ? clientId.toLowerCase() : uuidOfName(NAMESPACE, clientId);
