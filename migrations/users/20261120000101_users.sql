-- What the connector users-to-postgres writes: the users at the end of the chain.

create table users (
    id              uuid primary key,
    first_name      text not null,
    last_name       text not null,
    gender          text not null,
    address         text not null,
    post_code       text not null,
    email           text not null,
    username        text not null,
    dob             timestamptz not null,
    registered_date timestamptz not null,
    phone           text not null,
    picture         text,
    nationality     text not null,
    generated       boolean not null,
    "timestamp"     timestamptz not null,
    major           text not null,
    hobby           text not null
);

comment on table users is 'Each user once.';
comment on column users.post_code is 'Text: leading zeros count, and many countries use letters.';
comment on column users.generated is 'True for users that were made up because randomuser.me did not answer.';
comment on column users."timestamp" is 'When users-timestamp processed the user.';
comment on column users.major is 'Picked by users-tags; the same again if the record is processed again.';
