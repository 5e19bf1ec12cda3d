// The answers of the short routes.

import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'ShortToken' })
export class ShortToken {
  @ApiProperty({ format: 'uuid', example: '6d1c0f5e-0b7b-4c59-9d3e-2f2f2a0f5c11' })
  readonly token: string;
}

@ApiSchema({ name: 'Message' })
export class Message {
  @ApiProperty()
  readonly message: string;
}
