-- Tasks for the network, one row each, and the fault rules of the simulator.

create schema provisioning;
create sequence provisioning.task_id_seq;

create table provisioning.provisioning_task (
    id                  text primary key,
    tenant_id           text        not null default 'DEFAULT',
    service_id          text        not null,
    service_order_id    text        not null,
    commercial_order_id text,
    subscription_id     text,
    task_type           text        not null check (task_type in
        ('HLR_PROVISION', 'PCRF_POLICY_PUSH', 'OCS_BALANCE_INIT', 'ESIM_PROFILE_PREPARE',
         'HLR_DEPROVISION', 'SERVICE_SUSPEND', 'SERVICE_RESUME')),
    state               text        not null default 'pending' check (state in ('pending', 'running', 'completed', 'failed', 'stuck')),
    attempts            smallint    not null default 0,
    max_attempts        smallint    not null default 3,
    payload             jsonb       not null default '{}',
    last_error          text,
    leased_by           uuid,
    lease_until         timestamptz,
    next_attempt_at     timestamptz not null default clock_timestamp(),
    started_at          timestamptz,
    completed_at        timestamptz,
    version             bigint      not null default 1,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    unique (service_order_id, task_type) -- a second delivery finds the first task
);
create index ix_task_service on provisioning.provisioning_task (service_id, created_at desc);
create index ix_task_list on provisioning.provisioning_task (tenant_id, created_at desc, id);
create index ix_task_due on provisioning.provisioning_task (next_attempt_at) where state in ('pending', 'running');
create index ix_task_attention on provisioning.provisioning_task (state, created_at) where state in ('failed', 'stuck');

create table provisioning.fault_injection (
    id          text primary key,
    tenant_id   text          not null default 'DEFAULT',
    task_type   text          not null,
    fault_type  text          not null check (fault_type in ('fail_first_attempt', 'fail_always', 'stuck', 'slow')),
    probability numeric(3, 2) not null check (probability between 0 and 1),
    enabled     boolean       not null default false,
    created_at  timestamptz   not null default now(),
    updated_at  timestamptz   not null default now(),
    unique (tenant_id, task_type, fault_type)
);
