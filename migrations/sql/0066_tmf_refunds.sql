-- Refunds are read, and asked for, over TMF676.

alter table payment.refund add column attributes jsonb not null default '{}'; -- official TMF676 attributes we only store and echo
create index ix_refund_listing on payment.refund (tenant_id, requested_at desc, id desc);
