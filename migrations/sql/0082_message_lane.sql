-- Messages to customers: their deliveries have a kind of their own, so that a hundred thousand of them never keep an order
-- waiting.

alter table audit.delivery drop constraint delivery_kind_check;
alter table audit.delivery add constraint delivery_kind_check check (kind in ('consumer', 'effect', 'hub', 'message'));
