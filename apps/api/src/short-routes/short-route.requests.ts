// The bodies of the short routes.

import { TextField, UuidField } from '../http/fields.js';

const CLIENT = {
  description: 'Any name of the client; one that is no UUID always stands for the same user id',
  example: 'kiosk-7',
};

export class AssignTokenBody {
  @TextField(200, CLIENT)
  client_id: string;
}

export class TokenBody {
  @UuidField({ description: 'A token of the pool `elastic`' })
  token: string;
}

export class KeepTokenAliveBody extends TokenBody {
  @TextField(200, { ...CLIENT, optional: true, description: 'Must be the client that the token is assigned to' })
  client_id?: string;
}
