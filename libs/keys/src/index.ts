// API keys: their form, their rights, who may issue which, and how the service checks one.

export type { ApiKeyPage, ApiKeyView, IssuedKey } from './api-key.js';
export { ApiKeyStore, type KeyQuery, type NewKey, type Rotation, type StoredKey } from './api-key-store.js';
export { ApiKeys, MAX_OLD_SECRET_SECONDS, OLD_SECRET_SECONDS, type KeyRequest } from './api-keys.js';
export { withHiddenShown } from './hidden-characters.js';
export { KeyRing } from './key-ring.js';
export { KEY_FORMAT, KEY_ID, containsKey, withoutKeys, withoutSecrets } from './key-text.js';
export { mayUse, type Bounds, type LiveKey } from './rights.js';
export { SCOPES, type Scope } from './scope.js';
