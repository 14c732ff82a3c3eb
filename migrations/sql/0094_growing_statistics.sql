-- What only grows is read by key or through the index of its time: its statistics are made again after half as many rows
-- more, not after a tenth; those of the keys of usage, of which as many are forgotten each day as come, after a fifth. In the
-- first days of a busy month that was a tenth of what the machine does.

do $$
declare
    part regclass;
    share text;
begin
    for part, share in
        select inhrelid::regclass, case inhparent when 'mediation.usage_key'::regclass then '0.2' else '0.5' end
        from pg_inherits
        where inhparent in ('audit.domain_event'::regclass, 'mediation.usage_event'::regclass, 'mediation.usage_key'::regclass)
    loop
        execute format('alter table %s set (autovacuum_analyze_scale_factor = %s)', part, share);
    end loop;
end
$$;
