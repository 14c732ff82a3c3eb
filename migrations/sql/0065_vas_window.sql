-- Top-ups are added and put on sale at other times by the operator: each change counts.

alter table catalog.vas_offering
    add column version bigint not null default 1,
    add constraint vas_offering_window check (valid_from < valid_to);
