-- Before usage rows go (retention), what they used becomes one entry per allowance and period: the ledger stays whole.

alter table subscription.quota_entry drop constraint quota_entry_kind_check;
alter table subscription.quota_entry add constraint quota_entry_kind_check
    check (kind in ('grant', 'expiry', 'reset', 'correction', 'use'));
