-- Who has a single name, which is given and family name, is listed and found by that name, said once.

create index ix_individual_full_name on crm.individual
    ((case when given_name = family_name then given_name else given_name || ' ' || family_name end));
drop index crm.ix_individual_name;
