-- What the nightly check of the books found, and on which days it ran. Product days in the operator's time zone.

create table audit.nightly_run (
    day         date primary key,
    started_at  timestamptz not null default clock_timestamp(), -- wall clock: who died in the middle is taken over
    finished_at timestamptz,
    findings    integer
);

-- One row per check and offender; open until a run does not find it any more.
create table audit.finding (
    check_name    text        not null,
    offender_id   text        not null,
    detail        text        not null,
    found_at      timestamptz not null, -- product clock
    last_found_at timestamptz not null,
    cleared_at    timestamptz,
    primary key (check_name, offender_id)
);
create index ix_finding_open on audit.finding (found_at desc) where cleared_at is null;
