-- The built-in trace store: what one request or one delivery did, as spans. All of one order share its trace id. Bounded in
-- age and size by the tick `traces`; losing a row costs a picture, never a fact.

create table audit.trace_segment (
    id          bigint generated always as identity primary key,
    trace_id    text        not null, -- 32 hexadecimal digits, as in audit.domain_event
    tenant_id   text        not null default 'DEFAULT',
    origin      boolean     not null, -- a request, with which a trace begins; else a delivery that follows from it
    module      text        not null,
    name        text        not null,
    started_at  timestamptz not null, -- wall clock
    took_us     bigint      not null,
    failed      boolean     not null,
    spans       jsonb       not null, -- in the order in which they began; the first is the segment itself
    bytes       integer     not null  -- of the spans as text
);
create index ix_trace_segment_trace on audit.trace_segment (trace_id, started_at);
create index ix_trace_segment_origin on audit.trace_segment (tenant_id, id desc) where origin;
create index ix_trace_segment_age on audit.trace_segment (started_at);
