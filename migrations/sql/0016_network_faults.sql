-- A network that is told over HTTP may take a task and finish it later, or be away for a while: that costs no attempt, and
-- does not go on for ever. And its simulator can be told how many attempts fail.

alter table provisioning.provisioning_task add column polls smallint not null default 0 check (polls >= 0);

alter table provisioning.fault_injection
    add column attempts smallint not null default 1 check (attempts between 1 and 100); -- of fail_first_attempt
