-- Lists of customers and persons say, filter and sort a single name, which is given and family name, once. Servers of the
-- version before still use ix_individual_name: it goes with a later version.

create index ix_individual_full_name on crm.individual
    ((case when given_name = family_name then given_name else given_name || ' ' || family_name end));
