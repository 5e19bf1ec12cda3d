import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'Health' })
export class Health {
  @ApiProperty({ enum: ['ok'], enumName: 'HealthStatus' })
  readonly status: 'ok';
}
