//! An answer of the store: available at once, or when the database has it.

use crate::StoreError;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// An answer that may be pending: a future. A thread without an executor calls [`wait`](Self::wait).
#[derive(Debug)]
#[must_use = "the store may have refused"]
pub struct Answer<T>(Inner<T>);

#[derive(Debug)]
enum Inner<T> {
    /// Taken by the first poll.
    Ready(Option<Result<T, StoreError>>),
    Promised(Arc<Slot<T>>),
}

/// The other end of a promised [`Answer`]. Dropping it answers that the store has stopped.
#[derive(Debug)]
pub struct Promise<T>(Option<Arc<Slot<T>>>);

#[derive(Debug)]
struct Slot<T> {
    state: Mutex<State<T>>,
    answered: Condvar,
}

#[derive(Debug)]
struct State<T> {
    answer: Option<Result<T, StoreError>>,
    waker: Option<Waker>,
    /// A thread waits: to wake one is a call of the system, whether or not there is any.
    blocks: bool,
}

impl<T> Answer<T> {
    /// A pending answer, and its promise.
    pub fn promised() -> (Promise<T>, Self) {
        let state = Mutex::new(State { answer: None, waker: None, blocks: false });
        let slot = Arc::new(Slot { state, answered: Condvar::new() });
        (Promise(Some(Arc::clone(&slot))), Self(Inner::Promised(slot)))
    }

    /// An available answer.
    pub fn ready(answer: Result<T, StoreError>) -> Self {
        Self(Inner::Ready(Some(answer)))
    }

    /// Blocks this thread until the answer is available.
    ///
    /// # Errors
    /// The store's refusal.
    pub fn wait(self) -> Result<T, StoreError> {
        let slot = match self.0 {
            Inner::Ready(answer) => return answer.unwrap_or(Err(StoreError::Stopped)),
            Inner::Promised(slot) => slot,
        };
        let mut state = slot.lock();
        loop {
            match state.answer.take() {
                Some(answer) => return answer,
                None => {
                    state.blocks = true;
                    state = slot.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

/// No field is pinned.
impl<T> Unpin for Answer<T> {}

impl<T> Future for Answer<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Ready(answer) => Poll::Ready(answer.take().unwrap_or(Err(StoreError::Stopped))),
            Inner::Promised(slot) => {
                let mut state = slot.lock();
                match state.answer.take() {
                    Some(answer) => Poll::Ready(answer),
                    None => {
                        state.waker = Some(context.waker().clone());
                        Poll::Pending
                    }
                }
            }
        }
    }
}

impl<T> Promise<T> {
    /// Answers.
    pub fn answer(mut self, answer: Result<T, StoreError>) {
        if let Some(slot) = self.0.take() {
            slot.answer(answer);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.answer(Err(StoreError::Stopped));
        }
    }
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, answer: Result<T, StoreError>) {
        let (waker, blocks) = {
            let mut state = self.lock();
            state.answer = Some(answer);
            (state.waker.take(), state.blocks)
        };
        if blocks {
            self.answered.notify_one();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
