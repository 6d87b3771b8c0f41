//! Tables of offsets and moves, with text left-aligned and numbers right-aligned.

use connect_engine::offsets::{MovedPosition, PartitionOffsets};

use super::lag;

/// One row per partition, and one per sink where a partition has several. `stored` is the position that the sink
/// stores with its rows; it takes precedence over `group`.
pub(super) fn of_offsets(partitions: &[PartitionOffsets]) -> String {
    let head = [
        "topic",
        "sink",
        "partition",
        "stored",
        "group",
        "first",
        "end",
        "lag",
    ];
    let row = |one: &PartitionOffsets| {
        vec![
            one.partition.topic.to_string(),
            one.sink.to_string(),
            one.partition.partition.to_string(),
            known(one.stored),
            known(one.group),
            one.low.to_string(),
            one.high.to_string(),
            known(lag(one)),
        ]
    };
    draw(&head, partitions.iter().map(row).collect())
}

/// One row per position: `old → new`.
pub(super) fn of_moves(moves: &[MovedPosition]) -> String {
    let head = ["topic", "sink", "partition", "old", "", "new"];
    let row = |one: &MovedPosition| {
        vec![
            one.partition.topic.to_string(),
            one.sink.to_string(),
            one.partition.partition.to_string(),
            known(one.old),
            "→".to_owned(),
            one.new.to_string(),
        ]
    };
    draw(&head, moves.iter().map(row).collect())
}

fn known(offset: Option<i64>) -> String {
    offset.map_or_else(|| "–".to_owned(), |offset| offset.to_string())
}

const SINK: usize = 1;

/// A single sink gets no column.
fn draw(head: &[&str], mut rows: Vec<Vec<String>>) -> String {
    let first = rows.first().and_then(|row| row.get(SINK)).cloned();
    let has_several_sinks = rows.iter().any(|row| row.get(SINK) != first.as_ref());
    rows.insert(0, head.iter().map(|&word| word.to_owned()).collect());
    if !has_several_sinks {
        rows.iter_mut().for_each(|row| drop(row.remove(SINK)));
    }
    let texts = if has_several_sinks { 2 } else { 1 };
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| -> usize {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell: &String| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| {
            if column < texts {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        format!("  {}", cells.collect::<Vec<_>>().join("  "))
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use connect_api::TopicPartition;

    use super::*;

    #[test]
    fn the_table_is_aligned_and_shows_missing_values() {
        let one = |partition, stored, group, high| PartitionOffsets {
            partition: TopicPartition {
                topic: "PointOfSale".into(),
                partition,
            },
            sink: "postgres".into(),
            stored,
            group,
            low: 0,
            high,
        };
        let drawn = of_offsets(&[
            one(0, Some(81_214), Some(81_200), 81_220),
            one(1, None, None, 7),
        ]);
        let expected = "
  topic        partition  stored  group  first    end  lag
  PointOfSale          0   81214  81200      0  81220    6
  PointOfSale          1       –      –      0      7    –";
        assert_eq!(drawn, expected.trim_start_matches('\n'));
    }

    #[test]
    fn a_move_shows_what_was_there() {
        let one = |partition, sink: &str, old, new| MovedPosition {
            partition: TopicPartition {
                topic: "sales".into(),
                partition,
            },
            sink: sink.into(),
            old,
            new,
        };
        let drawn = of_moves(&[one(0, "a", Some(81_214), 7), one(1, "a", None, 0)]);
        let expected = "
  topic  partition    old     new
  sales          0  81214  →    7
  sales          1      –  →    0";
        assert_eq!(drawn, expected.trim_start_matches('\n'));
        let drawn = of_moves(&[one(0, "a", Some(1), 7), one(0, "bb", Some(2), 7)]);
        let expected = "
  topic  sink  partition  old     new
  sales  a             0    1  →    7
  sales  bb            0    2  →    7";
        assert_eq!(drawn, expected.trim_start_matches('\n'));
    }
}
