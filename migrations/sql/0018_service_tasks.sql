-- Which network tasks bring a service up is the catalog's to say: an activation has the tasks of all services of its plan.

alter table catalog.service_specification
    add column activation_tasks text[] not null default '{}';
update catalog.service_specification s
set activation_tasks = t.tasks
from (values ('SSPEC_CFS_MOBILE_BROADBAND', array['HLR_PROVISION', 'ESIM_PROFILE_PREPARE']),
             ('SSPEC_RFS_DATA_BEARER', array['PCRF_POLICY_PUSH', 'OCS_BALANCE_INIT'])) as t (id, tasks)
where s.id = t.id;
