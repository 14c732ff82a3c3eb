-- A number rests until the network has forgotten it, however long that takes.

-- Under which numbers the network may know a service: what it has confirmed to have forgotten is no part of it.
create index ix_service_number on service_inventory.service (tenant_id, (characteristics->>'msisdn'))
    where type = 'CFS' and network_confirmed is distinct from 'removed';
-- What has rested, page by page: those that wait for the network stay and are passed over.
create index ix_msisdn_rested on inventory.msisdn_pool (tenant_id, quarantine_until, msisdn) where status = 'quarantine';
drop index inventory.ix_msisdn_quarantine;
