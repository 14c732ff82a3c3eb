-- Listeners outside (TMF688, /hub): each event that one of them wants gets a delivery of a kind of its own, so that a slow
-- listener never keeps a charge waiting.

create table platform.hub (
    id          text primary key,
    tenant_id   text        not null default 'DEFAULT',
    api         text        not null, -- TMF629, …: whose events; the path under which it was registered
    callback    text        not null,
    query       text, -- as given; null: everything of the API
    event_types text[]      not null, -- ours, which the query lets through
    secret      text        not null, -- signs what is sent; given to the caller once
    created_by  text        not null,
    created_at  timestamptz not null default clock_timestamp()
);
create index ix_hub_list on platform.hub (tenant_id, id);

alter table audit.delivery drop constraint delivery_kind_check;
alter table audit.delivery add constraint delivery_kind_check check (kind in ('consumer', 'effect', 'hub'));
