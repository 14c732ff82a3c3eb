-- Whoever follows the log reads it in the order of the transactions that wrote it: positions are given out before they end.
create index ix_domain_event_transaction on audit.domain_event (transaction_id, id);
