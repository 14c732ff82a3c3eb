-- A batch of plain usage reads its lines without a lock and writes all of it in one statement, of which this is the part
-- of the lines. Servers of the version before do not call it.

create function subscription.use_up(
    line_ids text[], line_versions bigint[],
    balance_lines text[], allowance_types text[], remaining_before bigint[], remaining_after bigint[])
returns boolean language plpgsql as $$
declare
    matched bigint;
begin
    -- Whatever changes a line, usage apart, counts its version up: of the same version, it is as it was read.
    perform from unnest(line_ids, line_versions) as n (id, version)
        join subscription.subscription s on s.id = n.id and s.version = n.version
        for no key update of s skip locked;
    get diagnostics matched = row_count;
    if matched <> cardinality(line_ids) then
        return false;
    end if;
    update subscription.bundle_balance b set remaining = n.remaining_after
        from unnest(balance_lines, allowance_types, remaining_before, remaining_after)
            as n (subscription_id, allowance_type, remaining_before, remaining_after)
        where b.subscription_id = n.subscription_id and b.allowance_type = n.allowance_type
          and b.remaining = n.remaining_before;
    get diagnostics matched = row_count;
    if matched <> cardinality(remaining_after) then
        -- Part of it is written already: the statement has to end.
        raise exception 'a balance was used by another batch' using errcode = 'serialization_failure';
    end if;
    return true;
end
$$;

comment on function subscription.use_up is
    'Takes usage off balances if their lines and the balances are as they were read; false, or a serialization failure, if not.';
