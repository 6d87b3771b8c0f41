//! Example plugins: a sink, a source and a transform.

mod line_files;
mod log_lines;
mod upper_case;

pub use line_files::LineFiles;
pub use log_lines::LogLines;
pub use upper_case::UpperCase;
