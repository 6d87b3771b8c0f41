//! One test binary, one module per promise or seed system.
