import { ApiProperty, ApiSchema } from '@nestjs/swagger';

@ApiSchema({ name: 'Health' })
export class Health {
  @ApiProperty({ enum: ['ok'], enumName: 'HealthStatus' })
  readonly status: 'ok';
}

@ApiSchema({ name: 'ReadyHealth' })
export class ReadyHealth extends Health {
  @ApiProperty({
    required: false,
    description: 'What somebody should look after soon; left out when all is well.',
    example: 'there is room for events until 2027-01-01T00:00:00.000000Z only: is there a process that sweeps?',
  })
  readonly warning?: string;
}
