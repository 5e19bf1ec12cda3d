// An API key with the hash of its secret.

import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('api_keys')
@Check('api_keys_rights', `cardinality("scopes") > 0 AND ("pools" IS NULL OR cardinality("pools") > 0)`)
@Check('api_keys_hashes', `length("secret_hash") = 32 AND length("old_secret_hash") = 32`)
@Check('api_keys_old_secret', `("old_secret_hash" IS NULL) = ("old_secret_until" IS NULL)`)
export class ApiKeyEntity {
  @PrimaryColumn({ type: 'text', collation: 'C' })
  id: string;

  @Column({ type: 'text' })
  name: string;

  @Column({ type: 'text', array: true })
  scopes: string[];

  /** Null: all pools. */
  @Column({ type: 'text', array: true, nullable: true })
  pools: string[] | null;

  @Column({ name: 'secret_hash', type: 'bytea' })
  secretHash: Buffer;

  /** The hash of the secret before the last rotation. */
  @Column({ name: 'old_secret_hash', type: 'bytea', nullable: true })
  oldSecretHash: Buffer | null;

  @Column({ name: 'old_secret_until', type: 'timestamptz', nullable: true })
  oldSecretUntil: Date | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt: Date;

  /** The key that issued this one; null: the command line. */
  @Column({ name: 'created_by', type: 'text', collation: 'C', nullable: true })
  createdBy: string | null;

  @Column({ name: 'expires_at', type: 'timestamptz', nullable: true })
  expiresAt: Date | null;

  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt: Date | null;

  /** The key that revoked this one; null: the command line, or an earlier release. */
  @Column({ name: 'revoked_by', type: 'text', collation: 'C', nullable: true })
  revokedBy: string | null;

  /** The time of the last rotation. */
  @Column({ name: 'rotated_at', type: 'timestamptz', nullable: true })
  rotatedAt: Date | null;

  /** The key that asked for the last rotation; null: the command line. */
  @Column({ name: 'rotated_by', type: 'text', collation: 'C', nullable: true })
  rotatedBy: string | null;

  @Column({ name: 'last_used_at', type: 'timestamptz', nullable: true })
  lastUsedAt: Date | null;
}
