// The retention of events: one row that only the schema's owner may write. Without a row, events stay for ever.

import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('audit_retention')
@Check('audit_retention_is_one_row', `is_only`)
@Check('audit_retention_days', `days >= 1`)
export class AuditRetentionEntity {
  @PrimaryColumn({ name: 'is_only', type: 'boolean', default: true })
  isOnly: boolean;

  @Column({ type: 'integer' })
  days: number;
}
