-- Customers are searched by the beginning of their name or of their family name, in any case and over any number of them.

create index ix_individual_name_prefix on crm.individual (lower(given_name || ' ' || family_name) text_pattern_ops);
create index ix_individual_family_prefix on crm.individual (lower(family_name) text_pattern_ops);
