-- The shares of an allowance whose use is told of are told once in a period, whatever top-ups and expiries do to the share.

-- Written by the update that takes usage off the balance, and on purpose in no index: that update stays on its page.
alter table subscription.bundle_balance
    add column told_percent smallint not null default 0 check (told_percent between 0 and 100); -- the highest that was told
-- What is passed by now was told when it was passed.
update subscription.bundle_balance
set told_percent = case when remaining = 0 then 100 when (total - remaining)::numeric * 100 >= total::numeric * 80 then 80 else 50 end
where total > 0 and (total - remaining)::numeric * 100 >= total::numeric * 50;
