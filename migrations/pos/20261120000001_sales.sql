-- What the connector pos-to-postgres writes: three tables, in one transaction for each batch.
--
-- Amounts are numeric(12,2): exact to the cent, up to 9,999,999,999.99. Times are timestamptz: a point in time, whatever
-- the time zone of who reads it.

create table customers (
    customer_id bigint primary key,
    name        text not null,
    email       text not null
);

comment on table customers is 'Each customer once, as in the sale that was written last.';

create table transactions (
    transaction_id uuid primary key,
    customer_id    bigint not null references customers,
    store_id       integer not null,
    store_name     text not null,
    store_city     text not null,
    register       integer,
    sold_at        timestamptz not null,
    currency       text not null,
    total          numeric(12, 2) not null,
    payment_method text not null
);

comment on table transactions is 'Each sale once.';
comment on column transactions.sold_at is 'When the sale was paid, by the clock of the register.';
comment on column transactions.total is 'The sum of line_total over the items of the sale.';

create table transaction_items (
    transaction_id uuid not null references transactions on delete cascade,
    line_no        integer not null,
    sku            text not null,
    name           text not null,
    quantity       integer not null check (quantity > 0),
    price          numeric(12, 2) not null,
    line_total     numeric(12, 2) not null,
    primary key (transaction_id, line_no)
);

comment on table transaction_items is 'Each line of each receipt once; line_no counts from 1.';
