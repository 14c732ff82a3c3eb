-- A renewal that cannot be begun is tried ever less often, and after some tries somebody is told.

alter table subscription.subscription
    add column renewal_failures smallint not null default 0; -- tries to begin the next period's charge that failed in a row
