//! What each use needs for itself, kept from use to use.

use parking_lot::Mutex;

/// Takes one for each use and gives it back behind it, so that no task waits for another one's use. There are as many as
/// uses at once.
pub(super) struct Pool<T> {
    original: T,
    // In boxes, because they are moved twice for every record.
    idle: Mutex<Vec<Box<T>>>,
}

impl<T: Clone> Pool<T> {
    pub(super) fn new(original: T) -> Pool<T> {
        Pool {
            original,
            idle: Mutex::default(),
        }
    }

    pub(super) fn with_one<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let idle = self.idle.lock().pop();
        let mut one = idle.unwrap_or_else(|| Box::new(self.original.clone()));
        let result = work(&mut one);
        self.idle.lock().push(one);
        result
    }
}
