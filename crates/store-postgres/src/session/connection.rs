//! One session with the server: statements are prepared once, and calls are pipelined.

use crate::error::{DatabaseError, PostgresError};
use std::borrow::Cow;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::select;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::error::Severity;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Row, Statement};

/// A value of a statement.
pub(crate) type Value = Box<dyn ToSql + Sync + Send>;

/// A statement with its values.
pub(crate) struct Call {
    statement: Cow<'static, str>,
    values: Vec<Value>,
}

impl Call {
    pub(crate) fn new(statement: &'static str, values: Vec<Value>) -> Self {
        Self { statement: Cow::Borrowed(statement), values }
    }

    /// One statement that does the work of several, each of which has a name for the others. It costs the server less than they do. All see the state
    /// before it, and their order is not defined: none sees what another one writes, except by its name, and no two may write the same row. A session keeps
    /// each text that it has prepared, so callers make texts of few combinations.
    pub(crate) fn combined(mut calls: Vec<(&'static str, Self)>) -> Option<Self> {
        let (_, last) = calls.pop()?;
        if calls.is_empty() {
            return Some(last);
        }
        let (mut text, mut values) = (String::new(), Vec::new());
        for (name, call) in calls {
            text.push_str(if text.is_empty() { "WITH " } else { ", " });
            text.extend([name, " AS ("]);
            renumber(&call.statement, values.len(), &mut text);
            text.push(')');
            values.extend(call.values);
        }
        text.push(' ');
        renumber(&last.statement, values.len(), &mut text);
        values.extend(last.values);
        Some(Self { statement: Cow::Owned(text), values })
    }
}

/// Appends a statement with the numbers of its values increased.
fn renumber(statement: &str, by: usize, text: &mut String) {
    let mut parts = statement.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        let number = number.parse::<usize>().map_or(0, |number| number + by);
        text.push_str(&format!("${number}{rest}"));
    }
}

/// The values of a statement, each in a box of its own.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as $crate::session::connection::Value),*] };
}
pub(crate) use values;

/// A future answer of the server.
type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + Send + 'a>>;

/// The time after which a server that has not answered is asked whether it is there. A statement may take longer, as one that waits for a lock or a
/// standby; a server that stands still answers nothing at all.
const SILENCE: Duration = Duration::from_secs(5);

/// Asks a server whether it is there.
pub(crate) struct Probe {
    /// The server, for messages.
    pub(crate) server: String,
    /// Whether it answers a session of its own.
    pub(crate) answers: Box<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>,
}

/// A session.
pub(crate) struct Connection {
    client: Client,
    probe: Probe,
    attending: AbortHandle,
    /// The server did not answer, so the session is no longer used.
    is_given_up: AtomicBool,
    prepared: Mutex<HashMap<String, Statement>>,
    warned: Arc<AtomicBool>,
    /// A transaction is open.
    is_open: AtomicBool,
}

impl Connection {
    /// Serves an established connection on the current runtime.
    pub(crate) fn serve<S, T>(
        client: Client,
        connection: tokio_postgres::Connection<S, T>,
        probe: Probe,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let warned = Arc::new(AtomicBool::new(false));
        let attending = tokio::spawn(attend(connection, Arc::clone(&warned))).abort_handle();
        let (is_given_up, is_open) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { client, probe, attending, is_given_up, prepared: Mutex::default(), warned, is_open }
    }

    /// Whether the session can be reused: it is open and has no open transaction.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_closed() && !self.is_open.load(Ordering::Acquire)
    }

    /// Whether the session has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_given_up.load(Ordering::Acquire) || self.client.is_closed()
    }

    /// The server's answer to an exchange. If the server does not answer at all, the session is given up: what was sent may still take place there.
    async fn answered<T>(
        &self,
        exchange: impl Future<Output = Result<T, tokio_postgres::Error>> + Send,
    ) -> Result<T, DatabaseError> {
        let mut exchange = pin!(exchange);
        loop {
            if let Ok(done) = timeout(SILENCE, &mut exchange).await {
                return Ok(done?);
            }
            let is_there = select! {
                done = &mut exchange => return Ok(done?),
                is_there = (self.probe.answers)() => is_there,
            };
            if !is_there {
                self.is_given_up.store(true, Ordering::Release);
                self.attending.abort();
                let silent = format!("{} does not answer", self.probe.server);
                return Err(DatabaseError::Lost(PostgresError::Lost(silent).into()));
            }
        }
    }

    /// Whether the server has warned since the last call of this function. A commit with a warning is in doubt: the
    /// server warns when a wait for a standby was cut short.
    pub(crate) fn take_warning(&self) -> bool {
        self.warned.swap(false, Ordering::AcqRel)
    }

    /// The rows of a statement.
    pub(crate) async fn query(
        &self,
        statement: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, DatabaseError> {
        let prepared = self.prepare(statement).await?;
        self.answered(self.client.query(&prepared, &references(&values))).await
    }

    /// The first row of a statement, if there is one.
    pub(crate) async fn one(
        &self,
        statement: &'static str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, DatabaseError> {
        Ok(self.query(statement, values).await?.into_iter().next())
    }

    /// Statements without values or rows.
    pub(crate) async fn run(&self, statements: &str) -> Result<(), DatabaseError> {
        self.answered(self.client.batch_execute(statements)).await
    }

    /// Opens a transaction and pipelines calls in it.
    pub(crate) async fn begin(&self, begin: &str, calls: &[Call]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        self.is_open.store(true, Ordering::Release);
        self.pipeline(Some(begin), calls, None).await
    }

    /// Pipelines calls and a commit. If a call fails, the server turns the commit into a rollback.
    pub(crate) async fn commit(&self, calls: &[Call]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let answers = self.pipeline(None, calls, Some("COMMIT")).await?;
        self.is_open.store(false, Ordering::Release);
        Ok(answers)
    }

    /// Ends the open transaction without effect.
    pub(crate) async fn roll_back(&self) -> Result<(), DatabaseError> {
        self.run("ROLLBACK").await?;
        self.is_open.store(false, Ordering::Release);
        Ok(())
    }

    /// Pipelines calls, each a transaction of its own.
    pub(crate) async fn calls(&self, calls: &[Call]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        self.pipeline(None, calls, None).await
    }

    /// Consistent reads: all see one snapshot of the database.
    pub(crate) async fn agreeing(&self, calls: &[Call]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        self.pipeline(Some("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"), calls, Some("COMMIT")).await
    }

    async fn pipeline(
        &self,
        first: Option<&str>,
        calls: &[Call],
        last: Option<&str>,
    ) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let mut statements = Vec::with_capacity(calls.len());
        for call in calls {
            statements.push(self.prepare(&call.statement).await?);
        }
        let mut answers: Vec<Reply<'_, Vec<Row>>> = Vec::with_capacity(calls.len() + 2);
        let plain =
            |text| Box::pin(async move { self.client.batch_execute(text).await.map(|()| Vec::new()) });
        if let Some(text) = first {
            answers.push(plain(text));
        }
        for (call, statement) in calls.iter().zip(&statements) {
            answers
                .push(Box::pin(async move { self.client.query(statement, &references(&call.values)).await }));
        }
        if let Some(text) = last {
            answers.push(plain(text));
        }
        let mut rows = self.answered(in_order(answers)).await?;
        if first.is_some() {
            rows.remove(0);
        }
        rows.truncate(calls.len());
        Ok(rows)
    }

    async fn prepare(&self, text: &str) -> Result<Statement, DatabaseError> {
        if let Some(statement) = self.prepared().get(text) {
            return Ok(statement.clone());
        }
        let statement = self.answered(self.client.prepare(text)).await?;
        self.prepared().insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    fn prepared(&self) -> MutexGuard<'_, HashMap<String, Statement>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn references(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
}

/// The answers of all requests. A request is sent when its future is first polled, so all are sent in this order at
/// once. The first error is the result, once every request has an answer: the later errors only say that the
/// transaction has failed.
async fn in_order<T>(mut futures: Vec<Reply<'_, T>>) -> Result<Vec<T>, tokio_postgres::Error> {
    let mut answers: Vec<Option<Result<T, tokio_postgres::Error>>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut all = true;
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(ready) => *answer = Some(ready),
                    Poll::Pending => all = false,
                }
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// Moves messages until the session ends, and notes warnings.
async fn attend<S, T>(mut connection: tokio_postgres::Connection<S, T>, warned: Arc<AtomicBool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                if notice.parsed_severity() == Some(Severity::Warning) {
                    warned.store(true, Ordering::Release);
                }
            }
            Some(Ok(_)) => {}
            // The client's next call reports it.
            Some(Err(_)) | None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_become_one_with_all_values() {
        let call = |statement, count: usize| {
            Call::new(statement, (0..count).map(|n| Box::new(n as i64) as Value).collect())
        };
        let alone = Call::combined(vec![("a", call("DELETE FROM a WHERE x = $1", 1))]).unwrap();
        assert_eq!((&*alone.statement, alone.values.len()), ("DELETE FROM a WHERE x = $1", 1));
        let several = vec![
            ("a", call("UPDATE a SET x = $2 WHERE y = $1 RETURNING x", 2)),
            ("b", call("DELETE FROM b", 0)),
            ("c", call("INSERT INTO c SELECT $12, $1::text[], a.x FROM a", 12)),
        ];
        let one = Call::combined(several).unwrap();
        let expected = "WITH a AS (UPDATE a SET x = $2 WHERE y = $1 RETURNING x), b AS (DELETE FROM b) INSERT INTO c SELECT $14, $3::text[], a.x FROM a";
        assert_eq!((&*one.statement, one.values.len()), (expected, 14));
        assert!(Call::combined(Vec::new()).is_none());
    }
}
