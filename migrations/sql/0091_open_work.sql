-- What still moves something: deliveries that are to come, or wait for a person, of consumers and effects. That a listener
-- outside or a customer is still to be told moves nothing.
create view audit.open_work as
    select * from audit.delivery where state in ('pending', 'parked') and kind in ('consumer', 'effect');
