//! The SQL statements of the progress table.

use super::shape::IDENTITY;

/// Built once from the name of the table. $1 to $3 are the identity; $4 and $5, unless noted otherwise, the topics and numbers of
/// partitions.
pub(super) struct Statements {
    pub(super) take_over: String,
    pub(super) confirm: String,
    pub(super) advance: String,
    pub(super) read: String,
    /// $4 is the topics.
    pub(super) of_others: String,
    pub(super) store: String,
    /// $4 is the topics.
    pub(super) erase: String,
    /// Selects the sessions that hold these partitions and wait for their client in a COPY, and terminates those of $6.
    pub(super) end_frozen: String,
}

impl Statements {
    pub(super) fn new(table: &str) -> Statements {
        // All owners lock rows in one order, which an UPDATE alone does not guarantee.
        let lock = |columns: &str, batch: &str, condition: &str| {
            format!(
                "SELECT held.topic, held.partition{columns} FROM {batch} \
                 JOIN {table} AS held ON held.cluster_id = $1 AND held.connector = $2 AND held.sink = $3 \
                 AND held.topic = batch.topic AND held.partition = batch.partition \
                 WHERE held.epoch = batch.epoch{condition} \
                 ORDER BY held.topic COLLATE \"C\", held.partition FOR UPDATE OF held"
            )
        };
        let own = "p.cluster_id = $1 AND p.connector = $2 AND p.sink = $3 \
                   AND p.topic = locked.topic AND p.partition = locked.partition";
        Statements {
            take_over: format!(
                "INSERT INTO {table} AS p ({IDENTITY}, epoch) \
                 SELECT $1, $2, $3, batch.topic, batch.partition, 1 \
                 FROM unnest($4::text[], $5::int4[]) AS batch (topic, partition) \
                 ORDER BY batch.topic COLLATE \"C\", batch.partition \
                 ON CONFLICT ({IDENTITY}) DO UPDATE SET epoch = p.epoch + 1, updated_at = now() \
                 RETURNING topic, partition, next_offset, epoch"
            ),
            confirm: format!(
                "UPDATE {table} AS p SET epoch = p.epoch + 1, updated_at = now() FROM ({}) AS locked \
                 WHERE {own} RETURNING p.topic, p.partition, p.next_offset, p.epoch",
                lock(
                    "",
                    "unnest($4::text[], $5::int4[], $6::int8[]) AS batch (topic, partition, epoch)",
                    ""
                )
            ),
            advance: format!(
                "UPDATE {table} AS p SET next_offset = locked.next, updated_at = now(), \
                 last_timestamp = coalesce('epoch'::timestamptz + locked.milliseconds * interval '1 millisecond', p.last_timestamp) \
                 FROM ({}) AS locked WHERE {own}",
                lock(
                    ", batch.next, batch.milliseconds",
                    "unnest($4::text[], $5::int4[], $6::int8[], $7::int8[], $8::int8[], $9::int8[]) \
                     AS batch (topic, partition, epoch, expected, next, milliseconds)",
                    " AND held.next_offset IS NOT DISTINCT FROM batch.expected"
                )
            ),
            read: format!(
                "SELECT p.topic, p.partition, p.next_offset, p.epoch FROM {table} AS p \
                 WHERE p.cluster_id = $1 AND p.connector = $2 AND p.sink = $3 \
                 AND (p.topic, p.partition) IN (SELECT * FROM unnest($4::text[], $5::int4[]))"
            ),
            of_others: format!(
                "SELECT p.connector, p.sink, p.topic, p.partition, p.next_offset FROM {table} AS p \
                 WHERE p.cluster_id = $1 AND (p.connector = $2) <> (p.sink = $3) AND p.topic = ANY ($4::text[]) \
                 AND p.next_offset IS NOT NULL AND NOT EXISTS (SELECT FROM {table} AS own \
                 WHERE own.cluster_id = $1 AND own.connector = $2 AND own.sink = $3 AND own.topic = p.topic \
                 AND own.next_offset IS NOT NULL) \
                 ORDER BY p.connector, p.sink, p.topic, p.partition"
            ),
            store: format!(
                "INSERT INTO {table} AS p ({IDENTITY}, epoch, next_offset) \
                 SELECT $1, $2, $3, batch.topic, batch.partition, 1, batch.next \
                 FROM unnest($4::text[], $5::int4[], $6::int8[]) AS batch (topic, partition, next) \
                 ORDER BY batch.topic COLLATE \"C\", batch.partition \
                 ON CONFLICT ({IDENTITY}) DO UPDATE SET epoch = p.epoch + 1, updated_at = now(), \
                 next_offset = excluded.next_offset RETURNING topic, partition, next_offset, epoch"
            ),
            erase: format!(
                "DELETE FROM {table} AS p \
                 WHERE p.cluster_id = $1 AND p.connector = $2 AND p.sink = $3 AND p.topic = ANY ($4::text[])"
            ),
            // A row's xmax is the transaction that locked it. (pg_blocking_pids reports only what a session waits for now,
            // which would need a second connection.) Each COPY counts its bytes from 0, hence the start of the statement.
            end_frozen: format!(
                "SELECT session, \
                 CASE WHEN session = ANY ($6::text[]) THEN pg_catalog.pg_terminate_backend(pid) \
                 ELSE false END AS is_ended \
                 FROM (SELECT DISTINCT activity.pid, pg_catalog.concat_ws(' ', activity.pid, \
                 locks.transactionid, activity.query_start, copy.bytes_processed) AS session \
                 FROM unnest($4::text[], $5::int4[]) AS batch (topic, partition) \
                 JOIN {table} AS held ON held.cluster_id = $1 AND held.connector = $2 AND held.sink = $3 \
                 AND held.topic = batch.topic AND held.partition = batch.partition \
                 JOIN pg_catalog.pg_locks AS locks ON locks.locktype = 'transactionid' \
                 AND locks.transactionid = held.xmax AND locks.granted \
                 JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = locks.pid \
                 AND activity.application_name = pg_catalog.current_setting('application_name') \
                 AND activity.wait_event = 'ClientRead' \
                 JOIN pg_catalog.pg_stat_progress_copy AS copy ON copy.pid = activity.pid) AS holders"
            ),
        }
    }
}
